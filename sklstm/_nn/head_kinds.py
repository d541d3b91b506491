"""Heads of regressions by the parameter `loss`."""

from typing import Any

from sklstm._nn.count_heads import NegativeBinomialHead, PoissonHead
from sklstm._nn.distributional_heads import GaussianHead, QuantileHead, StudentTHead
from sklstm._nn.heads import RegressionHead

__all__ = ["REGRESSION_HEADS", "learn_regression_head", "regression_head_of"]

REGRESSION_HEADS: dict[str, type[RegressionHead]] = {
    "gaussian": GaussianHead,
    "student_t": StudentTHead,
    "quantile": QuantileHead,
    "poisson": PoissonHead,
    "negative_binomial": NegativeBinomialHead,
}
"""Heads by name of their loss; other losses are those of `RegressionHead`."""


def regression_head_of(loss: Any) -> type[RegressionHead]:
    """Choose the head of a loss, given by name or as a callable."""
    return REGRESSION_HEADS.get(loss, RegressionHead) if isinstance(loss, str) else RegressionHead


def learn_regression_head(y: Any, loss: Any, quantiles: Any) -> RegressionHead:
    """Learn the shape of the targets of a regression.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_columns)
        Training targets.
    loss : str or callable
        Name of a loss, or a loss of the user.
    quantiles : array-like of shape (n_levels,)
        Levels, if the loss is that of quantiles.

    Returns
    -------
    RegressionHead
        In the units of `y`.

    Raises
    ------
    ValueError
        If the levels are not increasing numbers between 0 and 1.
    """
    return regression_head_of(loss).learn(y, loss, quantiles)
