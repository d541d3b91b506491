"""Padding: cut off if the user gives its value, a warning if steps look like it."""

from collections import Counter
from numbers import Real
from typing import Any

import numpy as np

from sklstm._data.warning import DataWarning, warn

__all__ = ["check_padding", "cut_padding", "warn_of_missing_ends", "warn_of_padding"]

# Of a warning, by judgement; tests have the data that it must hear, and those that it must not.

FEWEST_ROWS = 10
"""With fewer sequences a step that most of them share is chance."""

MOST_ROWS = 1000
"""So many sequences are looked at: enough for a share of half, in no time."""

DIFFERENT_LENGTHS = 3
"""Padding has different lengths; two may be a step that is repeated or not."""

FREQUENT = 0.1
"""Share of the other steps from which a value counts as data, such as days without rain."""


def check_padding(padding: Any) -> Any:
    """Check the parameter.

    Parameters
    ----------
    padding : None, "keep", "nan" or number
        What the user gave.

    Returns
    -------
    None, "keep", or float
        NaN for ``"nan"``.

    Raises
    ------
    ValueError
        If it has any other value.
    """
    is_number = isinstance(padding, Real) and not isinstance(padding, (bool, np.bool_))
    if is_number and np.isfinite(padding):
        return padding
    if padding is not None and not (isinstance(padding, str) and padding in ("keep", "nan")):
        raise ValueError(f"padding must be a number, 'keep', None or 'nan', got {padding!r}.")
    return np.nan if padding == "nan" else padding


def cut_padding(
    values: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    padding: float,
    *,
    at_both_ends: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the padding of sequences.

    A number is padding at one end only: behind the sequences, or in front of them if there is
    more of it there. At the other end the same number is data. NaN is padding at both ends, and so
    is a token that is no word.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        Steps.
    starts, lengths : ndarray of int, shape (n_sequences,)
        First step and number of steps of each sequence.
    padding : float
        The value of all features of a step of padding; may be NaN.
    at_both_ends : bool, default=False
        Whether a number is padding at both ends, too.

    Returns
    -------
    starts, lengths : ndarray of int, shape (n_sequences,)
        Without padding at the ends; such steps between two others are kept.
    """
    if values.dtype.kind == "f":
        padding = values.dtype.type(padding)  # as it stands in an array of lower precision
    present = ~_are(values, np.full(values.shape[1], padding))
    present_before = np.concatenate([[0], np.cumsum(present)])
    first, last = present_before[starts], present_before[starts + lengths]
    steps = np.flatnonzero(present)
    empty = first == last
    if not len(steps):
        return starts, np.zeros_like(lengths)
    trimmed = np.where(empty, starts, steps[np.minimum(first, len(steps) - 1)])
    ends = np.where(empty, starts, steps[last - 1] + 1)
    in_front, behind = trimmed - starts, np.where(empty, 0, starts + lengths - ends)
    if np.isnan(padding) or at_both_ends:
        pass
    elif in_front.sum() > behind.sum():
        ends = np.where(empty, starts, starts + lengths)
    else:
        trimmed = starts
    return trimmed, ends - trimmed


def warn_of_padding(
    values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, reader: str
) -> None:
    """Warn that sequences look as if they were padded with a number.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        Steps.
    starts, lengths : ndarray of int, shape (n_sequences,)
        First step and number of steps of each sequence.
    reader : {"from_arrays", "from_tokens"}
        The method that cuts padding off, for the message.

    Warns
    -----
    DataWarning
        If most sequences end, or most begin, with a repeated step that is the same in all, a
        different number of times, and rare among the other steps.
    """
    side, value = _find_padding(values, starts, lengths)
    if side is not None and not np.isnan(value):
        warn(
            f"Most sequences {side} in steps that are {value:g} throughout, a different number "
            "of them in each, as if they had been filled up to one length. Such padding is read "
            f"as data; Sequences.{reader}(X, padding={value:g}) cuts it off. If it is data, "
            "use padding='keep'.",
            DataWarning,
        )


def warn_of_missing_ends(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> None:
    """Warn that sequences look as if they were padded with NaN, which is read as missing values.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        Steps.
    starts, lengths : ndarray of int, shape (n_sequences,)
        First step and number of steps of each sequence.

    Warns
    -----
    DataWarning
        As `warn_of_padding`.
    """
    side, value = _find_padding(values, starts, lengths)
    if side is not None and np.isnan(value):
        warn(
            f"Most sequences {side} in steps that are NaN throughout, a different number of them "
            "in each, as if they had been filled up to one length. missing='mask' reads them as "
            "steps whose values are missing; Sequences.from_arrays(X, padding='nan') cuts them "
            "off.",
            DataWarning,
        )


def _find_padding(
    values: np.ndarray, starts: np.ndarray, lengths: np.ndarray
) -> tuple[str | None, Any]:
    """The side of the padding and its value; None if there is none."""
    n_steps = int(lengths.max(initial=0))
    numeric = values.dtype.kind in "biuf"
    if len(starts) >= FEWEST_ROWS and (lengths == n_steps).all() and n_steps and numeric:
        rows = np.linspace(0, len(starts) - 1, min(len(starts), MOST_ROWS)).astype(int)
        for side in ("end", "begin"):
            value = _filled_with(values, starts[rows], n_steps, backwards=side == "end")
            if value is not None:
                return side, value
    return None, None


def _filled_with(
    values: np.ndarray, starts: np.ndarray, n_steps: int, *, backwards: bool
) -> Any | None:
    """The value of padding at one side, or None."""
    edge = values[starts + n_steps - 1 if backwards else starts] + 0  # -0.0 is 0.0
    content, count = Counter(row.tobytes() for row in edge).most_common(1)[0]
    step = np.frombuffer(content, dtype=edge.dtype)
    if 2 * count <= len(starts) or not (_are(step[:, None], step[:1])).all():
        return None
    order = slice(None, None, -1 if backwards else 1)
    same = (_are(values[start : start + n_steps], step)[order] for start in starts)
    partly = [row for row in same if not row.all()]  # from the padded side on
    runs = np.array([row.argmin() for row in partly], dtype=int)
    at_other_side = np.array([row[::-1].argmin() for row in partly], dtype=int)
    n_others = n_steps * len(partly) - runs.sum()
    is_data = sum(row.sum() for row in partly) - runs.sum() > FREQUENT * n_others
    is_padding = _differ(runs, len(starts)) and len(np.unique(runs[runs > 0])) >= DIFFERENT_LENGTHS
    if (
        not is_padding or is_data or _differ(at_other_side, len(starts))
    ):  # if both sides differ, it is a margin of the data
        return None
    return step[0]


def _differ(runs: np.ndarray, n_sequences: int) -> bool:
    """Whether most sequences have a run, and not all of these are of one length."""
    runs = runs[runs > 0]
    return 2 * len(runs) > n_sequences and len(np.unique(runs)) > 1


def _are(steps: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Whether each step equals this one, which may be NaN."""
    same = steps == step
    if np.isnan(step).any():
        same |= np.isnan(steps) & np.isnan(step)
    return same.all(axis=1)
