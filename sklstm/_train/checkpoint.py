"""Checkpoints: an interrupted training resumes at its last epoch, a finished one is loaded."""

import json
import os
import tempfile
from hashlib import blake2b
from io import BytesIO
from numbers import Real
from pathlib import Path
from types import FunctionType
from typing import Any

import joblib
import torch
from skorch.callbacks import Callback
from skorch.history import History

from sklstm._data.samples import Samples
from sklstm._data.warning import CheckpointWarning, warn
from sklstm._train.code_names import is_installed, names_in
from sklstm._train.identity import Describer
from sklstm._train.plan import Plan
from sklstm._train.seeds import RandomStream
from sklstm._version import __version__

__all__ = ["Checkpoint", "TrainingFolder"]

DIGEST_SIZE = 32
CHANGING = {f"skorch.callbacks.{kind}" for kind in ("training", "lr_scheduler", "regularization")}
CHANGED = {
    *("module_", "optimizer_", "criterion_", "param_groups", "lr", "weight", "weights", "grad"),
    *("set_params", "load_params", "load_state_dict", "KeyboardInterrupt", "StopTraining"),
}
"""Names in the code of a user's callback by which it may change a training."""

FINISHED, UNFINISHED = "finished", "unfinished"


class TrainingFolder:
    """Files of one training; other trainings, as of a search, have folders beside it.

    ``finished-10.sklstm`` is the state at the end of a training of ten epochs. It stays, as a
    longer training continues from it. ``unfinished-10.sklstm`` is the state after the last complete
    epoch, and is deleted at the end. Files are replaced atomically, so that equal trainings at the
    same time repeat the work but do not disturb each other.

    Parameters
    ----------
    plan : Plan
        The settings, whose `checkpoint` is where the folder is made.
    train, valid : Samples
        The data.

    Attributes
    ----------
    path : pathlib.Path
        Named by a hash of the settings and data, which ``training.json`` in it describes.

    Raises
    ------
    OSError
        If nothing can be written there.
    ValueError
        If a setting cannot be described, so that equal trainings cannot be recognised.
    """

    def __init__(self, plan: Plan, train: Samples, valid: Samples | None):
        self.n_epochs = plan.training.max_epochs
        self.scheduler = plan.training.lr_scheduler
        self.can_continue = not plan.training.schedule_has_an_end
        training = _describe_training(plan, train, valid)
        description = json.dumps(training, indent=2, sort_keys=True)
        self.path = Path(plan.run.checkpoint) / _digest(description.encode())[:10].hex()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / "training.json").exists():
                _write(self.path / "training.json", description.encode())
        except OSError as error:
            raise type(error)(
                f"checkpoint={os.fspath(plan.run.checkpoint)!r} has to be a folder that can be "
                f"written to: {error}"
            ) from error

    def file(self, kind: str) -> Path:
        """Return the path of the finished or unfinished state of this training."""
        return self.path / f"{kind}-{self.n_epochs}.sklstm"

    def read(self) -> dict[str, Any] | None:
        """Read the state to continue from.

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
            If a shorter training cannot be continued, as the learning-rate schedule depends on the
            number of epochs.
        """
        if self.file(FINISHED).exists():
            return _read(self.file(FINISHED))
        paths = sorted(self.path.glob("*.sklstm"))
        if not self.can_continue:
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
    """Save the state of training after each epoch, and resume from a saved one.

    Parameters
    ----------
    folder : TrainingFolder
        Where the files are.
    random : RandomStream
        Random numbers of the training.
    companions : list of Callback
        Callbacks with `state_dict` and `load_state_dict`.
    """

    # skorch's Checkpoint writes weights, optimizer and history as files of their own, of different
    # epochs after a crash, and neither random numbers nor states of callbacks, without which a
    # resumed training is another one.

    def __init__(self, folder: TrainingFolder, random: RandomStream, companions: list[Any]):
        self.folder = folder
        self.random = random
        self.companions = companions
        self.was_finished_ = folder.file(FINISHED).exists()
        self.saved_ = folder.read()
        self.content_ = None if self.saved_ is None else _content(self.saved_)

    @property
    def n_epochs(self) -> int:
        """Total number of epochs; of a finished training, which may have stopped early, its own."""
        if self.was_finished_ and self.saved_ is not None:
            return len(self.saved_["history"])
        return self.folder.n_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Restore the saved state."""
        if self.saved_ is None:
            return
        net.module_.load_state_dict(self.saved_["weights"])
        net.optimizer_.load_state_dict(self.saved_["optimizer"])
        net.history_ = History(self.saved_["history"])
        self.random.go_to(self.saved_["random"])
        for companion, state in zip(self.companions, self.saved_["companions"], strict=True):
            companion.load_state_dict(state)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Save the state; if that fails, the earlier file stays and training continues."""
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
    """What identifies a training, apart from its length: settings, seed, features, data."""
    describer = Describer(strict=True)
    described = plan.describe(describer)
    settings = {name: repr(value) for name, value in described.items() if name != "seed"}
    del settings["max_epochs"]
    given = (plan.training.skorch_params or {}).get("callbacks") or []
    given = [] if given == "disable" else given
    changing = [one for one in map(_unnamed, given) if _changes_training(one)]
    callbacks = [describer.describe((type(one), one.get_params()), "callbacks") for one in changing]
    names: Any = train.sequences.feature_names
    names = range(train.sequences.n_features) if names is None else names.tolist()
    data = tuple(train), None if valid is None else tuple(valid)
    return settings | {
        "seed": plan.seed,
        "callbacks": callbacks,
        "features": ", ".join(map(str, names)),
        "data": joblib.hash(data, coerce_mmap=True),  # workers of joblib get memory-mapped arrays
        "version": __version__,
        "libraries": describer.libraries,
    }


def _unnamed(callback: Any) -> Any:
    """The callback itself: skorch also takes classes, and pairs of name and callback."""
    callback = callback[1] if isinstance(callback, tuple) else callback
    return callback() if isinstance(callback, type) else callback


def _changes_training(callback: Any) -> bool:
    """Whether it changes weights or rates, or stops: as a callback of skorch's, or by its code."""
    if any(base.__module__ in CHANGING for base in type(callback).__mro__):
        return True
    own = [vars(base) for base in type(callback).__mro__ if not is_installed(base.__module__)]
    methods = [x for members in own for x in members.values() if isinstance(x, FunctionType)]
    return any(names_in(method.__code__) & CHANGED for method in methods)


def _content(state: dict[str, Any]) -> bytes:
    """Content of a file: a digest, and a snapshot of the state."""
    buffer = BytesIO()
    torch.save(state, buffer)
    return _digest(buffer.getvalue()) + buffer.getvalue()


def _epochs(path: Path) -> str:
    return path.stem.split("-")[1]


def _read_if_there(path: Path) -> dict[str, Any] | None:
    """The state in a file, which an equal training may have deleted meanwhile."""
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
    """Replace a file atomically: if the process dies, the old or the new one is complete."""
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
    if os.name == "posix":  # the directory entry has to reach the disk too
        descriptor = os.open(path.parent, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_SIZE).digest()


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history as plain numbers and texts, which load without pickle."""
    return {
        name: value if isinstance(value, (bool, int, str)) else float(value)
        for name, value in row.items()
        if isinstance(value, (bool, int, str, Real))
    }
