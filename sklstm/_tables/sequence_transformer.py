"""What transformers have in common that make sequences."""

from typing import Any, Self

from sklearn.base import TransformerMixin
from sklearn.utils._set_output import ADAPTERS_MANAGER

from sklstm._data.estimator import SequenceEstimator

__all__ = ["SequenceMaker", "check_output"]


def check_output(transform: Any) -> None:
    """Refuse a form of output that scikit-learn does not know.

    Parameters
    ----------
    transform : object
        What `set_output` is to set.

    Raises
    ------
    ValueError
        If it is no name of one.
    """
    known = sorted(ADAPTERS_MANAGER.supported_outputs)
    if transform is not None and transform not in known:
        raise ValueError(
            f"set_output(transform={transform!r}): transform must be one of {known}, or None to "
            "leave it as it is."
        )


class SequenceMaker(
    TransformerMixin,
    SequenceEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]  # scikit-learn's, which has no types
):
    """A transformer whose output is `Sequences`, which no setting turns into a table."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: sequences have one form only.

        It is there so that a Pipeline can set the output of all its steps, such as
        :class:`SequenceFlattener`, whose output is a table.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Accepted, and ignored.

        Returns
        -------
        SequenceMaker
            This transformer.

        Raises
        ------
        ValueError
            If it is none of these.

        See Also
        --------
        Sequences.to_frame : Copy sequences into a table.

        Examples
        --------
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklstm import SequenceFlattener, SequenceWindower
        >>> lags = make_pipeline(SequenceWindower(2), SequenceFlattener())
        >>> lags.set_output(transform="pandas").fit_transform([[1.0], [2.0]]).columns.tolist()
        ['x0[t-1]', 'x0[t]']
        """
        check_output(transform)
        return self
