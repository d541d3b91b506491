"""Base class of transformers whose output is `Sequences`."""

from typing import Any, Self

from sklearn.base import TransformerMixin

from sklstm._data.estimator import SequenceEstimator
from sklstm._data.sklearn_private import ADAPTERS_MANAGER

__all__ = ["SequenceTransformer", "check_output"]


def check_output(transform: Any) -> None:
    """Refuse an output container that scikit-learn does not support.

    Parameters
    ----------
    transform : object
        The argument of `set_output`.

    Raises
    ------
    ValueError
        If it is no supported container.
    """
    supported = sorted(ADAPTERS_MANAGER.supported_outputs)
    if transform is not None and transform not in supported:
        raise ValueError(
            f"set_output(transform={transform!r}): transform must be one of {supported}, or None "
            "to leave it unchanged."
        )


class SequenceTransformer(
    TransformerMixin,
    SequenceEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]  # scikit-learn's, which has no types
):
    """A transformer whose output is `Sequences`, whatever `set_output` asks for."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: the output is always `Sequences`.

        It lets a Pipeline set the output of all its steps, some of which give tables, such as
        :class:`SequenceFlattener`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Checked, otherwise ignored.

        Returns
        -------
        SequenceTransformer
            This transformer.

        Raises
        ------
        ValueError
            If `transform` is none of these.

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
