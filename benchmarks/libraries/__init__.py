"""Libraries that `alternatives.py` tries: a class each, with a method for each capability.

A method makes the call and returns its result in a few words. If that is more than a yes, such as
a number, or needed a function of the library, it returns two texts: the table's cell, the result.
"""

import os
import sys
import tempfile

import numpy as np


def finite(predicted, n):
    """Check the number of predictions, and that none is NaN."""
    predicted = np.asarray(predicted, dtype=float)
    if len(predicted) != n or not np.isfinite(predicted).all():
        raise ValueError(
            f"{len(predicted)} predictions of {n}, {np.isnan(predicted).mean():.0%} of them NaN"
        )
    return f"{n} predictions"


def quiet(fit):
    """Call `fit` in an empty folder; raise an error if it prints or leaves files."""
    before, folder = os.getcwd(), tempfile.mkdtemp(dir=os.getcwd())
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        sys.stderr.flush()
        originals = [os.dup(1), os.dup(2)]
        os.chdir(folder)
        try:
            for descriptor in (1, 2):
                os.dup2(printed.fileno(), descriptor)
            fit()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            for descriptor, original in zip((1, 2), originals, strict=True):
                os.dup2(original, descriptor)
            os.chdir(before)
        n_bytes = printed.tell()
    left = [name for _, _, files in os.walk(folder) for name in files]
    if n_bytes or left:
        raise RuntimeError(f"{n_bytes} bytes printed, {len(left)} files left {sorted(left)[:3]}")
    return "nothing printed, no file"
