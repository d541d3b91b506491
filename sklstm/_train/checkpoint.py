"""A training that was broken off goes on from its last epoch, and a finished one is read."""

import json
import os
import tempfile
from hashlib import blake2b
from io import BytesIO
from numbers import Real
from pathlib import Path
from typing import Any

import joblib
import torch
from skorch.callbacks import Callback
from skorch.history import History

from sklstm._data.samples import Samples
from sklstm._data.warning import CheckpointWarning, warn
from sklstm._train.identity import Describer
from sklstm._train.plan import Plan
from sklstm._train.seeds import RandomStream
from sklstm._version import __version__

__all__ = ["Checkpoint", "TrainingFolder"]

DIGEST_SIZE = 32
CHANGING = {f"skorch.callbacks.{kind}" for kind in ("training", "lr_scheduler", "regularization")}
FINISHED, UNFINISHED = "finished", "unfinished"


class TrainingFolder:
    """Files of one training: those of others, in a search or before, lie in folders beside it.

    ``finished-10.sklstm`` is the state at the end of a training of ten epochs, and stays: a longer
    one goes on from it. ``unfinished-10.sklstm`` is that after the last complete epoch, and goes
    at the end. Each is replaced in one step, so equal trainings at one time do the work twice and
    do no harm.

    Parameters
    ----------
    plan : Plan
        The settings, whose `checkpoint` is where the folder is made.
    train, valid : Samples
        The data.

    Attributes
    ----------
    path : pathlib.Path
        Named by a hash of what makes the training, which ``training.json`` in it tells.

    Raises
    ------
    OSError
        If nothing can be written there.
    ValueError
        If there is no saying what a setting is, and so whether a training is the same.
    """

    def __init__(self, plan: Plan, train: Samples, valid: Samples | None):
        self.n_epochs = plan["max_epochs"]
        self.scheduler = plan["lr_scheduler"]
        self.goes_on = not plan.schedule_has_an_end
        training = _describe_training(plan, train, valid)
        told = json.dumps(training, indent=2, sort_keys=True)
        self.path = Path(plan["checkpoint"]) / _digest(told.encode())[:10].hex()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / "training.json").exists():
                _write(self.path / "training.json", told.encode())
        except OSError as error:
            raise type(error)(
                f"checkpoint={os.fspath(plan['checkpoint'])!r} has to be a folder that can be "
                f"written to: {error}"
            ) from error

    def file(self, kind: str) -> Path:
        """Tell where a state of this training lies, finished or unfinished."""
        return self.path / f"{kind}-{self.n_epochs}.sklstm"

    def read(self) -> dict[str, Any] | None:
        """Read the state to go on from.

        Returns
        -------
        dict or None
            That of the end of this training, else the latest of this or of a shorter one.

        Raises
        ------
        ValueError
            If a file is damaged.

        Warns
        -----
        CheckpointWarning
            If there is a shorter one, from which the learning rate does not allow to go on.
        """
        if self.file(FINISHED).exists():
            return _read(self.file(FINISHED))
        paths = sorted(self.path.glob("*.sklstm"))
        if not self.goes_on:
            others = [path for path in paths if path != self.file(UNFINISHED)]
            paths = [self.file(UNFINISHED)] if self.file(UNFINISHED) in paths else []
            if others and not paths:
                warn(
                    f"lr_scheduler={self.scheduler!r} depends on max_epochs: a training of "
                    f"{_epochs(others[0])} epochs cannot go on to {self.n_epochs}, and the longer "
                    "one trains from its beginning. lr_scheduler=None or 'plateau' goes on.",
                    CheckpointWarning,
                )
        states = [state for path in paths if (state := _read_if_there(path)) is not None]
        states = [state for state in states if len(state["history"]) <= self.n_epochs]
        return max(states, key=lambda state: len(state["history"]), default=None)


class Checkpoint(Callback):
    """Save the state of training after each epoch, and go on from a saved one.

    Parameters
    ----------
    folder : TrainingFolder
        Where the files are.
    random : RandomStream
        Random numbers of the training.
    companions : list of Callback
        Callbacks with `state_dict` and `load_state_dict`.
    """

    def __init__(self, folder: TrainingFolder, random: RandomStream, companions: list[Any]):
        self.folder = folder
        self.random = random
        self.companions = companions
        self.was_finished_ = folder.file(FINISHED).exists()
        self.saved_ = folder.read()
        self.content_ = None if self.saved_ is None else _content(self.saved_)

    @property
    def n_epochs(self) -> int:
        """Epochs in all: those of a finished training, which something else may have stopped."""
        if self.was_finished_ and self.saved_ is not None:
            return len(self.saved_["history"])
        return self.folder.n_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Bring back the saved state."""
        if self.saved_ is None:
            return
        net.module_.load_state_dict(self.saved_["weights"])
        net.optimizer_.load_state_dict(self.saved_["optimizer"])
        net.history_ = History(self.saved_["history"])
        self.random.go_to(self.saved_["random"])
        for companion, state in zip(self.companions, self.saved_["companions"], strict=True):
            companion.load_state_dict(state)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Save; if that fails, the file of before stays and training goes on."""
        state = {
            "weights": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": [_plain(row) for row in net.rows()],
            "random": self.random.state(),
            "companions": [companion.state_dict() for companion in self.companions],
        }
        self.content_ = _content(state)
        self._write(UNFINISHED, f"checkpoint of epoch {len(net.history)}")

    def finish(self) -> None:
        """Keep the last state as that of a finished training."""
        if self.was_finished_ or self.content_ is None:
            return
        if self._write(FINISHED, "last checkpoint"):
            self.folder.file(UNFINISHED).unlink(missing_ok=True)

    def _write(self, kind: str, what: str) -> bool:
        assert self.content_ is not None
        try:
            _write(self.folder.file(kind), self.content_)
        except OSError as error:
            warn(
                f"The {what} could not be written to {self.folder.path}: {error}. The one before "
                "is kept, and training goes on.",
                CheckpointWarning,
            )
            return False
        return True


def _describe_training(plan: Plan, train: Samples, valid: Samples | None) -> dict[str, Any]:
    """What makes two trainings the same, but for their length: settings, seed, features, data."""
    describer = Describer(strict=True)
    described = plan.describe(describer)
    settings = {name: repr(value) for name, value in described.items() if name != "seed"}
    del settings["max_epochs"]
    changing = [one for one in map(_unnamed, plan["callbacks"] or []) if _changes_training(one)]
    told = [describer.describe((type(one), one.get_params()), "callbacks") for one in changing]
    given = train.sequences.feature_names
    names = range(train.sequences.n_features) if given is None else given.tolist()
    data = tuple(train), None if valid is None else tuple(valid)
    return settings | {
        "seed": plan.seed,
        "callbacks": told,
        "features": ", ".join(map(str, names)),
        "data": joblib.hash(data, coerce_mmap=True),  # workers of joblib get memory-mapped arrays
        "version": __version__,
        "libraries": describer.libraries,
    }


def _unnamed(callback: Any) -> Any:
    """The callback itself, of which skorch takes the class, too, and pairs with a name."""
    callback = callback[1] if isinstance(callback, tuple) else callback
    return callback() if isinstance(callback, type) else callback


def _changes_training(callback: Any) -> bool:
    """Whether it is, or is made of, one of skorch's that change weights or rates, or stop."""
    return any(base.__module__ in CHANGING for base in type(callback).__mro__)


def _content(state: dict[str, Any]) -> bytes:
    """What stands in a file: a digest, and the state, which changes as training goes on."""
    buffer = BytesIO()
    torch.save(state, buffer)
    return _digest(buffer.getvalue()) + buffer.getvalue()


def _epochs(path: Path) -> str:
    return path.stem.split("-")[1]


def _read_if_there(path: Path) -> dict[str, Any] | None:
    """The state in a file, which an equal training may just have finished with."""
    try:
        return _read(path)
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    digest, content = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if digest != _digest(content):
        raise ValueError(
            f"The checkpoint {path} is damaged: it is truncated, or has been changed. Delete it to "
            "start anew."
        )
    return torch.load(BytesIO(content), map_location="cpu", weights_only=True)


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step: whenever the process dies, one of both is whole."""
    descriptor, draft = tempfile.mkstemp(prefix="draft-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise
    if os.name == "posix":  # the name has to reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_SIZE).digest()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history in numbers that can be read back without trust."""
    return {
        name: value if isinstance(value, (bool, int, str)) else float(value)
        for name, value in row.items()
        if isinstance(value, (bool, int, str, Real))
    }
