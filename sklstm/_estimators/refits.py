"""Refits of a forecaster, and the forecasts of each until the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sklstm._estimators.backtest_table import Forecasted, History, joined
from sklstm._estimators.calibration import Calibration
from sklstm._estimators.panel_fit import FittedPanel
from sklstm._tables.calendar_columns import with_calendar
from sklstm._tables.panel import Panel
from sklstm._tables.series_rows import SeriesRows

if TYPE_CHECKING:
    from sklstm._estimators.forecaster import SequenceForecaster

__all__ = ["Refits", "Span", "earlier_fit", "rolling_forecasts", "spans_of_fits"]


class Refits(NamedTuple):
    """When a backtest fits again, and on what.

    Attributes
    ----------
    every : int or None
        Number of origins from one fit to the next; None fits once.
    rolling : bool
        Whether old rows are left out, so that each training part is as long as the first.
    warm : bool
        Whether a network starts from its weights.
    """

    every: int | None = None
    rolling: bool = False
    warm: bool = True


class Span(NamedTuple):
    """Times of one fit: those it trains on, and those it forecasts from.

    Attributes
    ----------
    begin, end : float
        Of the first and the last training rows.
    since, until : float
        Origins from the first time on and before the second one are its own.
    """

    begin: float
    end: float
    since: float
    until: float

    def training(self, time: np.ndarray) -> np.ndarray:
        """Whether rows train."""
        return (time >= self.begin) & (time <= self.end)

    def origins(self, time: np.ndarray) -> np.ndarray:
        """Whether rows are origins of its forecasts."""
        return (time >= self.since) & (time < self.until)


def spans_of_fits(history: History, refits: Refits, stride: int) -> list[Span]:
    """Times of each fit: origins of a panel are counted by dates, from the last training one on."""
    dates = np.unique(history.rows.time)
    first = int(np.searchsorted(dates, history.cutoff)) - 1
    every = len(dates) if refits.every is None else refits.every * stride
    last = np.arange(first, len(dates) - 1, every)
    begin = dates[last - first if refits.rolling else 0 * last]
    since, until = np.append(-np.inf, dates[last[1:]]), np.append(dates[last[1:]], np.inf)
    spans = zip(begin, dates[last], since, until, strict=True)
    return [Span(*map(float, span)) for span in spans]


def rolling_forecasts(
    model: SequenceForecaster,
    panel: Panel,
    history: History,
    refits: Refits,
    stride: int,
    coverage: float | None,
) -> Forecasted:
    """Forecasts from all origins, each of the newest fit, as if an `update` had brought each row.

    Parameters
    ----------
    model : SequenceForecaster
        A clone, which is fitted.
    panel : Panel
        All rows, regular.
    history : History
        The same rows.
    refits : Refits
        When to fit again.
    stride : int
        Rows from one origin to the next.
    coverage : float or None
        That of prediction intervals.
    """
    origin, time = history.origins(), history.rows.time
    shown = (origin >= 0) & (origin % stride == 0)
    parts: list[Forecasted] = []
    for span in spans_of_fits(history, refits, stride):
        goes_on = parts and refits.warm and model._model.refit_epochs is not None
        earlier = model if goes_on else None
        model._fit_panel(panel.take(span.training(time)), earlier)
        place = np.flatnonzero(time >= span.begin)
        whole = with_calendar(panel.take(time >= span.begin), model.calendar_)
        rows = model._transform.applied(whole).rows
        rows = rows.recoded(model._buffer.rows.categories)
        segment = _Segment(model, rows, span)
        found = segment.forecasts((shown & span.origins(time))[place], coverage)
        parts.append(found._replace(ends=place[found.ends]))
    return joined(parts)


class _Segment(NamedTuple):
    """Rows from a fit to the next.

    Attributes
    ----------
    model : SequenceForecaster
        Fitted.
    rows : SeriesRows
        The training rows and all later ones.
    span : Span
        Times of the fit.
    """

    model: SequenceForecaster
    rows: SeriesRows
    span: Span

    def forecasts(self, shown: np.ndarray, coverage: float | None) -> Forecasted:
        """Forecasts from some rows, with the intervals that updates would give."""
        model, rows, span = self.model, self.rows, self.span
        read = shown
        if coverage is not None:  # the forecasts before the fit, which are still to be judged
            n_known = np.bincount(rows.code[rows.time <= span.end], minlength=len(rows.sizes))
            judged = rows.place >= n_known[rows.code] - model.steps
            read = shown | (judged & (rows.time < span.until))
        windows = model._model.windows(rows)
        windows = windows.take(read[windows.ends])
        predicted = model._model.forecasts(windows)
        is_shown = shown[windows.ends]
        ends, ranges = windows.ends[is_shown], {}
        if coverage is not None:
            width = model._width(coverage, np.zeros(1, dtype=int))
            if np.isnan(width).any():
                raise ValueError(
                    f"There are too few residuals for prediction intervals with coverage="
                    f"{coverage}: train on more rows, set a larger calibration_fraction, or choose "
                    "a lower coverage."
                )
            if model._intervals is not None:
                scores = predicted.scores(windows.actual())
                scores = windows.by_row(scores, together=model._model.judges_together)
                width = self._widths(scores, ends, coverage)
            forecasts = predicted.take(is_shown)
            sides = model._transform.interval(forecasts.point, *forecasts.sides(width))
            ranges = dict(zip(("lower", "upper"), sides, strict=True))
            ranges["nominal"] = np.full(sides[0].shape, coverage)
        step = np.arange(1, model.steps + 1)
        point = model._transform.inverse(predicted.point[is_shown])
        return Forecasted(ends, step, point, ranges)

    def _widths(self, scores: np.ndarray, ends: np.ndarray, coverage: float) -> np.ndarray:
        """Half widths at each origin; the model keeps those at the end of the segment."""
        rows, span, intervals = self.rows, self.span, self.model._intervals
        assert intervals is not None
        code = self.model._buffer.rows.find(rows.names)[rows.code]
        later = np.flatnonzero((rows.time > span.end) & (rows.time <= span.until))
        turns = np.unique(rows.time[later])
        n_arrived = np.searchsorted(turns, rows.time, side="right")
        arrived = scores[later], code[later], n_arrived[later] - 1
        together = self.model._model.judges_together
        self.model._intervals, widths = intervals.adapted(*arrived, coverage, together=together)
        return widths[n_arrived[ends], intervals.pool_of(code[ends])]


def earlier_fit(model: SequenceForecaster, panel: Panel) -> FittedPanel | None:
    """What a forecaster has learned, to go on with, for the series of a panel.

    Nothing if its covariates have other categories, whose numbers then mean something else.
    """
    if panel.rows.categories != model._buffer.rows.categories:
        return None
    losses, intervals = model._losses, model._intervals
    if losses is None or intervals is None:
        return FittedPanel(panel, model._model, None, model._transform)
    series = model._buffer.rows.find(panel.rows.names)
    intervals = intervals._replace(pool=np.append(intervals.pool, 0)[series])
    independent, weight = model._model.channel_independent, model._model.weight
    found = Calibration(independent, weight, losses, intervals)
    return FittedPanel(panel, model._model, found, model._transform)
