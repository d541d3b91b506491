"""Warning categories, and warnings that point at the line of the user's code."""

import sys
import warnings
from pathlib import Path
from types import FrameType

import sklearn.exceptions

__all__ = [
    "CheckpointWarning",
    "DataConversionWarning",
    "DataWarning",
    "DeviceWarning",
    "DivergenceWarning",
    "DroppedDataWarning",
    "GapWarning",
    "MissingHistoryWarning",
    "SavedVersionWarning",
    "SklstmWarning",
    "some_names",
    "warn",
]

PACKAGE = __name__.partition(".")[0]

LIBRARIES = sys.stdlib_module_names | {
    PACKAGE,
    "joblib",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "skorch",
    "torch",
}
"""Packages that are not the user's code, even if they run from a checkout."""

INSTALLED = {"site-packages", "dist-packages"}
"""Folders that hold no code of the user."""


class SklstmWarning(UserWarning):
    """Base of all warnings of this package.

    A filter for it applies to all of them, and to nothing else. Each points at the calling line of
    the user's code, even through a Pipeline or a search, and says what to do.

    See Also
    --------
    DataWarning : X and y are probably not as intended.
    GapWarning : Rows are missing, or irregular in time.
    MissingHistoryWarning : Rows to predict have too few rows before them.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import SklstmWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SklstmWarning)
    """


class DataWarning(SklstmWarning):
    """X and y are probably not as intended, so that the fit is of little use.

    The target is among the features, a windower is missing before the estimator, or an array has
    the layout of another library.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import DataWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DataWarning)
    """


class DroppedDataWarning(SklstmWarning):
    """Rows, steps or windows are left out.

    The message says how many, and why.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import DroppedDataWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DroppedDataWarning)
    """


class DataConversionWarning(SklstmWarning, sklearn.exceptions.DataConversionWarning):
    """Data are converted to another form.

    It is a subclass of scikit-learn's category of this name.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import DataConversionWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DataConversionWarning)
    """


class GapWarning(SklstmWarning):
    """Rows are missing, or irregular in time, so that histories are cut or joined.

    A :class:`SequenceWindower` warns in `fit` and in `transform`.

    See Also
    --------
    MissingHistoryWarning : Rows to predict have too few rows before them.
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import GapWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", GapWarning)
    """


class MissingHistoryWarning(SklstmWarning):
    """Rows to predict have no history, or a shorter one than they could have.

    ``cold_start="error"`` of a :class:`SequenceWindower` makes an error of it.

    See Also
    --------
    GapWarning : Rows are missing in time.
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import MissingHistoryWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", MissingHistoryWarning)
    """


class DivergenceWarning(SklstmWarning, sklearn.exceptions.ConvergenceWarning):
    """Training diverged, and the weights of its best epoch are kept.

    It is a subclass of scikit-learn's ``ConvergenceWarning``.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import DivergenceWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", DivergenceWarning)
    """


class CheckpointWarning(SklstmWarning):
    """A checkpoint could not be written, or training cannot resume from the existing one.

    Training continues, at the cost of time only.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import CheckpointWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", CheckpointWarning)
    """


class DeviceWarning(SklstmWarning):
    """A GPU does not compute, or is not available, and the CPU is used.

    Results are the same up to rounding, but take longer.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import DeviceWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", DeviceWarning)
    """


class SavedVersionWarning(SklstmWarning):
    """An estimator was saved by another version of the package than loads it.

    Its state may be misread: fit it again, or load it with the version that saved it.

    See Also
    --------
    SklstmWarning : The base of all categories.

    Examples
    --------
    >>> import warnings
    >>> from sklstm import SavedVersionWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", SavedVersionWarning)
    """


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the calling line of the user's code, through any libraries.

    Parameters
    ----------
    message : str
        What happened, and what to do.
    category : type of Warning
        One of the categories above.
    """
    frame = _caller()
    names = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        names.get("__name__", "<unknown>"),
        names.setdefault("__warningregistry__", {}),
    )


def _caller() -> FrameType:
    """The innermost frame of the user's code; in a thread of a library the outermost caller."""
    frame: FrameType | None = sys._getframe(1)
    outside = None
    while frame is not None:
        root = str(frame.f_globals.get("__name__")).partition(".")[0]
        if outside is None and root != PACKAGE:
            outside = frame
        if root not in LIBRARIES and not INSTALLED & set(Path(frame.f_code.co_filename).parts):
            return frame
        frame = frame.f_back
    return outside or sys._getframe(1)


def some_names(names: list) -> str:
    """The first names of many."""
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
