"""Constants by which "auto" is resolved: what other values cost in error and in time.

    python benchmarks/defaults.py FOLDER
    python benchmarks/defaults.py FOLDER --constants EPOCHS --seeds 1

On the sets of `skill.py` that defaults may be chosen on, and on which a constant has an effect. The
loss is the squared error of numbers and the log loss of labels; it and the seconds of a fit are
ratios to those with the constant as it is, geometric means over sets and seeds.
"""

import argparse
import time
import warnings
from pathlib import Path
from statistics import geometric_mean

import torch
from report import RESULTS, machine, markdown
from skills import SQUARED, error, log_loss
from skills.models import with_defaults
from skills.sets import find_sets

import sklstm._train.defaults as defaults

TABLES = ("forecasts", "labels of rows")
WHOLE = ("numbers", "independent sequences")
VALUES = {
    "BATCH_SIZES": [(8, 32), (32, 128)],
    "BATCHES_IN_EPOCH": [25, 100],
    "BATCH_SIZES_OF_TABLE": [(32, 256), (128, 1024)],
    "BATCHES_IN_EPOCH_OF_TABLE": [100, 400],
    "UPDATES": [(750, 375), (3000, 1500)],
    "EPOCHS": [(5, 100), (20, 400)],
    "MOST_EPOCHS": [50, 200],
    "FEWEST_TO_STOP": [25, 200],
    "FEWEST_TO_BLEND": [5, 40],
    "VALIDATION_FRACTIONS": [(0.05, 0.1), (0.2, 0.3)],
}
"""About half and twice each."""

KINDS = {
    "BATCH_SIZES": WHOLE,
    "BATCHES_IN_EPOCH": WHOLE,
    "FEWEST_TO_BLEND": WHOLE,
    "UPDATES": WHOLE,
    "BATCH_SIZES_OF_TABLE": TABLES,
    "BATCHES_IN_EPOCH_OF_TABLE": TABLES,
}
"""Kinds of sets on which a constant has an effect; others have one on all."""

LARGE = "PM2.5 of weather"
"""Left out: it takes as long as all others."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the files are")
    parser.add_argument("--constants", nargs="+", choices=VALUES, default=list(VALUES))
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    sets = [one for one in find_sets(options.folder) if one.half == "choose" and one.name != LARGE]
    measure(sets[0], 0)  # the first fit of a process takes longer
    own, rows = {}, []
    for name in options.constants:
        kinds = TABLES if name.endswith("OF_TABLE") else (*TABLES, *WHOLE)
        kinds = WHOLE if name in ("BATCH_SIZES", "BATCHES_IN_EPOCH", "FEWEST_TO_BLEND") else kinds
        for value in VALUES[name]:
            cases = [
                (one, seed) for one in sets if one.kind in kinds for seed in range(options.seeds)
            ]
            own |= {case: measure(*case) for case in cases if case not in own}
            with_value = changed(name, value, cases)
            cases = [case for case in cases if with_value[case][0] != own[case][0]]
            rows.append({"constant": name, "value": str(value)} | ratios(own, with_value, cases))
            print(rows[-1], flush=True)
    write(rows)


def changed(name, value, cases):
    """Measure with another value of a constant."""
    before = getattr(defaults, name)
    setattr(defaults, name, value)
    try:
        return {case: measure(*case) for case in cases}
    finally:
        setattr(defaults, name, before)


def measure(one, seed):
    """Loss and seconds of a set."""
    split = one.read(seed)
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tiny validation parts
        predicted = with_defaults(split, seed)
    seconds = time.process_time() - begin
    if one.kind in SQUARED:
        return error(one.kind, split.y_test, predicted), seconds
    return log_loss(split.y_test, predicted), seconds


def ratios(own, other, cases):
    """Geometric means of the losses and the seconds, where they differ at all."""
    if not cases:
        return {"sets": "0", "loss": "-", "seconds": "-"}
    loss, seconds = (geometric_mean(other[c][k] / own[c][k] for c in cases) for k in (0, 1))
    n_sets = len({one.name for one, _ in cases})
    return {"sets": str(n_sets), "loss": f"{loss:.3f}", "seconds": f"{seconds:.2f}"}


def write(rows):
    """Write the table."""
    lines = ["# Constants of the defaults", "", f"{machine()}.", "", __doc__.split("\n\n")[2], ""]
    text = "\n".join([*lines, markdown(rows)]) + "\n"
    (RESULTS / "defaults.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
