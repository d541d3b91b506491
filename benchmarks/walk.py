"""The rooms that one default fit walks through: modules of sklstm, in the order data enters them.

    python benchmarks/walk.py

A stay begins where a function that leads the fit (of `_estimators/base.py` or `_train/training.py`)
calls into another module with data, a value for each row, and lasts until it calls into the next.
A return is a stay in a module that was left before. A climb is a call from a module into one of a
floor above. The containers of data, when asked for a part of themselves, are not rooms.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import sklstm
from sklstm import LSTMRegressor, Sequences, SequenceWindower
from sklstm._data.samples import GivenSamples, Samples, TrainingData
from sklstm._nn.dataset import SequenceDataset
from sklstm._nn.inits import InitTask

PACKAGE = Path(sklstm.__file__).parent
FLOORS = ("_data", "_tables", "_nn", "_train", "_estimators")
LEADERS = {"_estimators/base", "_train/training"}
CONTAINERS = Sequences, Samples, GivenSamples, TrainingData
N_ROWS = 600


def module_of(frame):
    """The module of a frame, such as ``_nn/scaling``; None outside of the package."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(PACKAGE):
        return None
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def holds_data(value):
    """Whether a value has something for each row, or for the rows of a part."""
    if isinstance(value, tuple) and not isinstance(value, CONTAINERS):
        return any(map(holds_data, value))
    sized = (
        isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim and len(value) > N_ROWS // 20
    )
    return bool(sized) or isinstance(value, (*CONTAINERS, InitTask, SequenceDataset))


def brings_data(frame):
    """Whether a function is called with data, and is no method of the data themselves."""
    if isinstance(frame.f_locals.get("self"), CONTAINERS):
        return False
    return any(map(holds_data, frame.f_locals.values()))


def walk(action):
    """The stays of an action, and its climbs."""
    stays, climbs = [], []

    def follow(frame, event, argument):
        if event != "call" or frame.f_back is None:
            return
        to, back = module_of(frame), frame.f_back
        if to is None:
            return
        while back is not None and module_of(back) is None:
            back = back.f_back
        came = None if back is None else module_of(back)
        if came is None or came == to:
            return
        floors = [FLOORS.index(name.split("/")[0]) for name in (came, to)]
        if floors[1] > floors[0]:
            climbs.append(f"{came} -> {to}:{frame.f_code.co_name}")
        elif came in LEADERS and to not in LEADERS and stays[-1:] != [to] and brings_data(frame):
            stays.append(to)

    sys.setprofile(follow)
    try:
        action()
    finally:
        sys.setprofile(None)
    return stays, climbs


def main():
    table = np.random.default_rng(0).normal(size=(N_ROWS, 3)).cumsum(axis=0)
    X = SequenceWindower(12, horizon=1).fit_transform(table)
    model = LSTMRegressor(max_epochs=1, random_state=0)
    stays, climbs = walk(lambda: model.fit(X, table[:, 0]))
    print("\n".join(stays))
    returns = len(stays) - len(set(stays))
    print(f"{len(stays)} stays in {len(set(stays))} rooms, {returns} returns, {len(climbs)} climbs")
    print("\n".join(climbs))


if __name__ == "__main__":
    main()
