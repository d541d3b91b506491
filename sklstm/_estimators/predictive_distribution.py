"""What a forecaster says beside its forecast: prediction intervals and sample paths."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sklstm._estimators.future_rows import FutureRows
from sklstm._estimators.intervals import Intervals
from sklstm._estimators.residual_paths import LEAST_PATHS
from sklstm._estimators.window_regression import best_of

__all__ = ["PredictiveDistribution"]


class PredictiveDistribution(FutureRows):
    """Prediction intervals and sample paths, from residuals on the calibration set."""

    def predict_interval(
        self,
        coverage: float = 0.9,
        steps: int | None = None,
        *,
        X: Any = None,
        y: Any = None,
        simultaneous: bool = False,
    ) -> pd.DataFrame:
        """Forecast with prediction intervals, which cover a share of actual values.

        The coverage holds as long as errors are like those on the calibration set and in each
        `update`: for each step by itself, or with `simultaneous` for whole paths.

        Parameters
        ----------
        coverage : float, default=0.9
            Nominal coverage: share of actual values inside, between 0 and 1.
        steps : int, default=None
            How many rows to forecast, at most the parameter `steps`, which is the default.
        X, y : as in `predict`
            Future covariates, and rows of other series.
        simultaneous : bool, default=False
            Whether the coverage is the share of whole paths: of a target, all `steps` lie inside.
            Such intervals are wider: the widths of all steps are multiplied by one number.

        Returns
        -------
        DataFrame
            As from `predict`, with ``lower``, ``forecast`` and ``upper`` in place of a target, or
            below each if there are several.

        Raises
        ------
        ValueError
            If there are too few residuals for such a coverage of so many steps.

        See Also
        --------
        sample_paths : For intervals of sums over steps, and of anything else.
        backtest : Measure the coverage, by ``coverage=``.
        LSTMRegressor.predict_quantiles : Quantiles that differ from row to row.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> sold = pd.Series(range(30), pd.date_range("2024-01-01", periods=30), name="sold")
        >>> forecaster = SequenceForecaster(LinearRegression(), 5).fit(sold)
        >>> forecaster.predict_interval(0.8).columns.tolist()
        ['lower', 'forecast', 'upper']
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage={coverage} must lie between 0 and 1.")
        self._check_fitted()
        steps = self._within_reach("Prediction intervals", self._checked_steps(steps))
        origins = self._origins(steps, X, y)
        if simultaneous:
            width = self._residuals().path_width(coverage, origins.series, steps)
        else:
            width = self._width(coverage, origins.series)[:, :steps]
        if np.isnan(width).any():
            raise ValueError(
                f"There are too few residuals for prediction intervals with a coverage of "
                f"{coverage} {steps} steps ahead: fit with more rows, with a larger "
                "calibration_fraction, or ask for a lower coverage."
            )
        timestamps, coming = self._future(origins.panel, steps, X)
        forecasts = self._forecast(origins, coming, steps)
        lower, upper = self._transform.interval(forecasts.point, *forecasts.sides(width))
        point = self._transform.inverse(forecasts.point)
        values = np.stack([lower, point, upper], axis=-1)
        columns = pd.MultiIndex.from_product([self.targets_, ["lower", "forecast", "upper"]])
        result = self._table(origins.panel, timestamps, values, columns)
        return result[self.targets_[0]] if len(self.targets_) == 1 else result

    def sample_paths(
        self,
        n_paths: int = 100,
        steps: int | None = None,
        *,
        X: Any = None,
        y: Any = None,
        random_state: Any = None,
    ) -> pd.DataFrame:
        """Draw paths that the next rows may take, jointly over steps and targets.

        The forecast plus residuals of the calibration set, of all steps and targets of one
        forecast together, so that errors that go on for several steps do so in a path. Quantiles
        of sums, maxima or anything else of the paths are its prediction intervals. Series are
        drawn by themselves.

        Parameters
        ----------
        n_paths : int, default=100
            Number of paths.
        steps : int, default=None
            How many rows to forecast, at most the parameter `steps`, which is the default.
        X, y : as in `predict`
            Future covariates, and rows of other series.
        random_state : int, RandomState or None, default=None
            Give a number for the same paths in each call.

        Returns
        -------
        DataFrame
            Rows as from `predict`, and a column for each path: 0, 1, ...; below each target if
            there are several.

        Raises
        ------
        ValueError
            If the calibration set has fewer than 30 forecasts that do not overlap, of all series
            together.

        See Also
        --------
        predict_interval : Intervals of each step, and of whole paths.

        Notes
        -----
        As with the empirical copula of the Schaake shuffle (Clark et al., Journal of
        Hydrometeorology 5, 2004), ranks of a path are those of past residuals, and each step has
        the distribution of `predict_interval`, which `update` adapts. Series share paths as they
        share residuals; one with 200 forecast origins, and 30 that do not overlap, has its own.

        Examples
        --------
        The total of the next three days, between the tenth and the ninetieth percentile:

        >>> import numpy as np
        >>> import pandas as pd
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklstm import SequenceForecaster
        >>> days = pd.date_range("2024-01-01", periods=400)
        >>> sold = pd.Series(np.random.default_rng(0).normal(50, 5, 400), days, name="sold")
        >>> forecaster = SequenceForecaster(
        ...     LinearRegression(), 5, steps=3, calibration_fraction=0.3
        ... ).fit(sold)
        >>> paths = forecaster.sample_paths(1000, random_state=0)
        >>> paths.sum().quantile([0.1, 0.9]).round(-1).tolist()
        [140.0, 170.0]
        """
        if not isinstance(n_paths, Integral) or int(n_paths) < 1:
            raise ValueError(f"n_paths={n_paths!r} must be a whole number from 1.")
        self._check_fitted()
        steps = self._within_reach("Sample paths", self._checked_steps(steps))
        residuals = self._residuals()
        self._check_independent(residuals)
        origins = self._origins(steps, X, y)
        drawn = residuals.sample(int(n_paths), origins.series, check_random_state(random_state))
        timestamps, coming = self._future(origins.panel, steps, X)
        forecasts = self._forecast(origins, coming, steps)
        values = self._transform.paths(forecasts.point[:, None], forecasts.at(drawn[:, :, :steps]))
        columns = pd.MultiIndex.from_product(
            [self.targets_, range(int(n_paths))], names=[None, "path"]
        )
        result = self._table(origins.panel, timestamps, np.moveaxis(values, 1, -1), columns)
        return result[self.targets_[0]] if len(self.targets_) == 1 else result

    def _within_reach(self, what: str, steps: int) -> int:
        if steps > self.steps:
            raise ValueError(
                f"{what} reach {self.steps} steps ahead, and {steps} were asked for: "
                f"fit with steps={steps}."
            )
        return steps

    def _residuals(self) -> Intervals:
        if self._intervals is None:
            raise ValueError(
                "Whole paths need residuals of a calibration set, and there is none: fit with "
                "more rows, or with calibration_fraction above 0."
            )
        return self._intervals

    def _check_independent(self, residuals: Intervals) -> None:
        """Refuse to draw from a few paths, again and again."""
        n = int(residuals.n_independent[0, -1].min())
        if n < LEAST_PATHS or not len(residuals.paths.shared):
            raise ValueError(
                f"The calibration set has {n} residual paths of {self.steps} steps that do not "
                f"overlap, and sample paths need {LEAST_PATHS}, "
                f"{LEAST_PATHS * self.steps + self.steps - 1} rows of a single series or a few "
                "rows of many: fit with a larger calibration_fraction, with more rows or fewer "
                "steps, or with other series beside it."
            )

    def _width(self, coverage: float, series: np.ndarray) -> np.ndarray:
        """Half the width of intervals in units of their sides, (n_series, steps, n_targets)."""
        if self.interval_method_ == "quantiles":
            levels = best_of(self.estimator_).quantiles
            if not np.isclose(coverage, levels[-1] - levels[0]):
                raise ValueError(
                    f"The outer quantiles {list(levels)} are a prediction interval with coverage="
                    f"{levels[-1] - levels[0]:.2g}, and coverage={coverage} was asked for: ask for "
                    "that of the quantiles, or fit with calibration_fraction above 0."
                )
        if self._intervals is None:
            width = 1.0 if self.interval_method_ == "quantiles" else np.nan
            return np.full((len(series), self.steps, len(self.targets_)), width)
        return self._intervals.width(coverage, series)
