"""Steps that a network can compute with: finite, also once they are scaled."""

import numpy as np

from sklstm._data.sequences import Sequences
from sklstm._nn.scaling import InputScaling

__all__ = ["check_finite_steps"]


def check_finite_steps(
    sequences: Sequences,
    name: str,
    rows: np.ndarray | None = None,
    *,
    allow_nan: bool = False,
    scaling: InputScaling | None = None,
) -> None:
    """Refuse NaN and infinity in every step that a sequence uses.

    Parameters
    ----------
    sequences : Sequences
        Steps that no sequence uses are not checked.
    name : str
        Name of the estimator, for the message.
    rows : ndarray of int, shape (n_sequences,), default=None
        Row of X of each sequence, if they are a selection.
    allow_nan : bool, default=False
        Whether values may be missing.
    scaling : InputScaling, default=None
        If it is learned: refuse also what it scales to infinity.

    Raises
    ------
    ValueError
        If a step is not finite; the message names the sequence, the step and the feature.
    """
    values = sequences.values
    finite = np.isfinite(values) if scaling is None else scaling.in_range(values)
    if finite.all():
        return
    bad = ~finite
    if allow_nan:
        bad &= ~np.isnan(values)
    bad_steps = bad.any(axis=1)
    if bad_steps.any():
        bad_steps &= sequences.step_weights() > 0
    if not bad_steps.any():
        return
    step = int(np.flatnonzero(bad_steps)[0])
    user = int(np.flatnonzero((sequences.starts <= step) & (step < sequences.ends))[0])
    feature = int(np.flatnonzero(bad[step])[0])
    names, value = sequences.feature_names, values[step, feature]
    found = f"{value:g}, too large" if np.isfinite(value) else "infinity"
    raise ValueError(
        f"Input X contains {'NaN' if np.isnan(value) else found}: "
        f"feature {feature if names is None else repr(names[feature])} at step "
        f"{step - sequences.starts[user]} of sequence {user if rows is None else rows[user]} "
        f"(both counted from 0). {name} needs finite numbers in every step that a "
        f"sequence uses: {_cure(sequences, user, value)}."
    )


def _cure(sequences: Sequences, user: int, value: np.floating) -> str:
    """What to do about a value of a sequence that the network cannot read."""
    if np.isfinite(value):
        return "a value that is missing is NaN, which missing='mask' reads, instead of a number"
    is_recording = sequences.series[user] < 0 and sequences.max_length > 1
    cure = "fill or drop them first, for example with a SimpleImputer in front"
    if is_recording:
        cure = "fill them first, such as X[~np.isfinite(X)] = 0 (imputers read tables only)"
    if not np.isnan(value):
        return cure
    cure = f"let missing='mask' tell the network, or {cure}"
    if sequences.series[user] < 0 and _is_padded(sequences[user]):
        cure = (
            "whole steps are missing at an end of it, which looks like padding, and "
            "Sequences.from_arrays(X, padding='nan') reads it as such. Else " + cure
        )
    return cure


def _is_padded(sequence: np.ndarray) -> bool:
    """Whether all features of the first or last step of a longer sequence are missing."""
    missing = np.isnan(sequence).all(axis=1)
    return bool(len(sequence) > 1 and (missing[0] or missing[-1]) and not missing.all())
