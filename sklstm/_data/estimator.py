"""Base class of every public estimator. Think twice before adding anything."""

from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import NotFittedError

from sklstm._data.sklearn_private import _is_fitted
from sklstm._data.warning import SavedVersionWarning, warn
from sklstm._version import __version__

__all__ = ["SITE", "SequenceEstimator"]

SITE = ""
"""Address of the documentation, without a slash at the end; "" for no links."""


class SequenceEstimator(CallbackSupportMixin, BaseEstimator):
    """Takes scikit-learn's callbacks, is saved as plain data, and links to its documentation."""

    _doc_link_module = "sklstm"

    @property
    def _doc_link_template(self) -> str:
        return f"{SITE}/api/sklstm.{{estimator_name}}.html" if SITE else ""

    if not TYPE_CHECKING:  # mypy would find any attribute

        def __getattr__(self, name):
            """Name the attribute that was accessed, not one that a property uses."""
            is_learned = isinstance(getattr(type(self), name, None), property)
            if is_learned and not _is_fitted(self):
                raise NotFittedError(
                    f"This {type(self).__name__} is not fitted yet, so that it has no {name}: call "
                    "fit first."
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _blank(self) -> Self:
        """Make one with the same parameter objects; a fit fills it before its state is copied."""
        blank = type(self).__new__(type(self))
        blank.__dict__.update(self.get_params(deep=False))
        return blank

    def __getstate__(self) -> dict[str, Any]:
        state = self._to_plain(dict(super().__getstate__()))
        return state | {"_sklstm_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_sklstm_version", __version__)
        if version != __version__:
            warn(
                f"This {type(self).__name__} was saved by sklstm {version} and is loaded by sklstm "
                f"{__version__}, which may read it wrongly: fit it anew, or load it with "
                f"sklstm {version}.",
                SavedVersionWarning,
            )
        super().__setstate__(state)

    def _to_plain(self, state: dict[str, Any]) -> dict[str, Any]:
        """Attributes as arrays, numbers, texts, and lists and dicts of them."""
        return state
