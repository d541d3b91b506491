"""What transformers have in common that make sequences."""

from typing import Any, Self

from sklearn.base import TransformerMixin

from sklstm._data.estimator import SequenceEstimator

__all__ = ["SequenceMaker"]


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
        return self
