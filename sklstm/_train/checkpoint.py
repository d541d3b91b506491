"""A training that was broken off goes on from its last complete epoch."""

import os
import tempfile
import warnings
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
from sklstm._train.plan import Plan
from sklstm._train.seeds import RandomStream

__all__ = ["Checkpoint", "describe_run", "read_checkpoint", "refuse_another_run"]

DIGEST_SIZE = 32


class Checkpoint(Callback):
    """Save the state of training after each epoch, and go on from a saved one.

    Parameters
    ----------
    folder : path-like
        Where the file is.
    saved : dict or None
        What `read_checkpoint` found there.
    run : dict
        What tells this training from another: kept in the file.
    random : RandomStream
        Random numbers of the training.
    companions : list of Callback
        Callbacks with `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        saved: dict | None,
        run: dict[str, Any],
        random: RandomStream,
        companions: list[Any],
    ):
        self.folder = folder
        self.saved = saved
        self.run = run
        self.random = random
        self.companions = companions

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Bring back the saved state."""
        if self.saved is None:
            return
        net.module_.load_state_dict(self.saved["weights"])
        net.optimizer_.load_state_dict(self.saved["optimizer"])
        net.history_ = History(self.saved["history"])
        self.random.go_to(self.saved["random"])
        for companion, state in zip(self.companions, self.saved["companions"], strict=True):
            companion.load_state_dict(state)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Save; if that fails, the file of before stays and training goes on."""
        state = {
            "run": self.run,
            "weights": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": [_plain(row) for row in net.rows()],
            "random": self.random.state(),
            "companions": [companion.state_dict() for companion in self.companions],
        }
        try:
            _write_checkpoint(self.folder, state)
        except OSError as error:
            warnings.warn(
                f"The checkpoint of epoch {len(net.history)} could not be written to "
                f"{self.folder}: {error}. The one before is kept, and training goes on.",
                UserWarning,
                stacklevel=2,
            )


def describe_run(plan: Plan, train: Samples, valid: Samples | None) -> dict[str, Any]:
    """Describe what makes two trainings the same: settings, seed, features, data.

    Parameters
    ----------
    plan : Plan
        The settings.
    train, valid : Samples
        The data.

    Returns
    -------
    dict of str to object
        Texts and numbers.
    """
    settings = {name: repr(value) for name, value in plan.describe().items() if name != "seed"}
    if plan["lr_scheduler"] is None:
        del settings["max_epochs"]  # more epochs are more of the same
    given = train.sequences.feature_names
    names = range(train.sequences.n_features) if given is None else given.tolist()
    return settings | {
        "seed": plan.seed,
        "features": ", ".join(map(str, names)),
        "data": joblib.hash((tuple(train), None if valid is None else tuple(valid))),
    }


def refuse_another_run(plan: Plan, saved: dict | None, run: dict[str, Any]) -> None:
    """Refuse to go on from the checkpoint of another training, or of a longer one.

    Parameters
    ----------
    plan : Plan
        The settings.
    saved : dict or None
        What `read_checkpoint` found.
    run : dict
        From `describe_run`.

    Raises
    ------
    ValueError
        If the trainings differ; the message names in what.
    """
    if saved is None:
        return
    then, n_epochs = saved["run"], len(saved["history"])
    changed = [
        f"{name} was {then.get(name)} and is {run.get(name)}"
        for name in sorted(then | run)
        if then.get(name) != run.get(name)
    ]
    if not changed and n_epochs > plan["max_epochs"]:
        changed = [f"it has {n_epochs} epochs and max_epochs is {plan['max_epochs']}"]
    if changed:
        raise ValueError(
            f"checkpoint={os.fspath(plan['checkpoint'])!r} holds another training: "
            f"{'; '.join(changed)}. Give each training a folder of its own, or empty this one."
        )


def checkpoint_path(folder: str | os.PathLike) -> Path:
    """Tell where the file of a checkpoint is.

    Parameters
    ----------
    folder : str or path-like
        The folder that the user named.

    Returns
    -------
    pathlib.Path
        A file in it.
    """
    return Path(folder) / "checkpoint.sklstm"


def read_checkpoint(folder: str | os.PathLike | None) -> dict | None:
    """Read the state of a training that was broken off, and make sure that a new one can be saved.

    Parameters
    ----------
    folder : str, path-like or None
        The folder, which is made if it is not there; None if nothing is to be saved.

    Returns
    -------
    dict or None
        None if nothing was saved.

    Raises
    ------
    ValueError
        If the file is damaged.
    OSError
        If nothing can be written to the folder.
    """
    if folder is None:
        return None
    path = checkpoint_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise type(error)(
            f"checkpoint={os.fspath(folder)!r} has to be a folder that can be written to: {error}"
        ) from error
    if not path.exists():
        return None
    content = path.read_bytes()
    digest, content = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
    if digest != _digest(content):
        raise ValueError(
            f"The checkpoint {path} is damaged: it is truncated, or has been changed. Delete it to "
            "start anew."
        )
    return torch.load(BytesIO(content), map_location="cpu", weights_only=True)


def _write_checkpoint(folder: str | os.PathLike, state: dict[str, Any]) -> None:
    """Replace the file in one step: whenever the process dies, one of both is whole."""
    buffer = BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = checkpoint_path(folder)
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "wb") as file:
            file.write(_digest(content) + content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
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
