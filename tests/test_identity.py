"""What tells one training from another, whatever it is written with."""

import abc
import collections
import contextlib
import dataclasses
import enum
import functools
import importlib
import logging
import operator
import os
import subprocess
import sys
import threading
import types
from os import getenv
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping, LRScheduler

from sklstm import LSTMRegressor
from sklstm._train.identity import Describer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6, 2))
Y = X.sum(axis=(1, 2))


def quick(**params):
    return LSTMRegressor(4, max_epochs=3, lr=0.05, init=None, random_state=0, **params)


def told(value):
    return Describer(strict=True).describe(value, "loss")


def folders(tmp_path):
    return len([path for path in tmp_path.iterdir() if path.is_dir()])


class Cost:
    def __init__(self, factor):
        self.factor = factor

    def loss(self, prediction, target):
        missed = target - prediction
        return torch.where(missed > 0, self.factor * missed**2, missed**2)


FACTOR = 20.0


def factor():
    return FACTOR


def of_helper(prediction, target):
    missed = target - prediction
    return torch.where(missed > 0, factor() * missed**2, missed**2)


# Trainings


@pytest.mark.parametrize("kept", [True, False])
def test_bound_methods_of_two_objects_are_two_candidates(kept, tmp_path):
    grid = {"loss": [Cost(20.0).loss, Cost(1.0).loss]}
    search = GridSearchCV(quick(checkpoint=tmp_path if kept else None), grid, cv=2).fit(X, Y)
    expected = GridSearchCV(quick(), grid, cv=2).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected.cv_results_["mean_test_score"])
    assert scores[0] != scores[1]


def test_a_constant_two_calls_deep_makes_another_training(tmp_path, monkeypatch):
    quick(checkpoint=tmp_path, loss=of_helper).fit(X, Y)
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 1.0)
    model = quick(checkpoint=tmp_path, loss=of_helper).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), quick(loss=of_helper).fit(X, Y).predict(X))
    assert folders(tmp_path) == 2
    monkeypatch.undo()
    quick(checkpoint=tmp_path, loss=of_helper).fit(X, Y)
    assert folders(tmp_path) == 2


class Decay:
    def __init__(self, gamma):
        self.gamma = gamma

    def make(self, optimizer):
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, self.gamma)


SEEDED = Ridge(random_state=0)


class Scaled(Ridge):
    scale = 1.0


class Patient(EarlyStopping):
    pass


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("lr_scheduler", [Decay(0.5).make, Decay(0.9).make]),
        ("init", [Ridge(a, random_state=0) for a in (1.0, 2.0)] + [Scaled(1.0, random_state=0)]),
        ("callbacks", [[Patient("train_loss", patience=k)] for k in (3, 2)]),
        ("callbacks", [[LRScheduler("StepLR", step_size=k)] for k in (1, 2)]),
        ("optimizer__betas", [(0.8, 0.9), (0.9, 0.9)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_all_that_changes_a_training_makes_another(name, values, tmp_path):
    for _ in range(2):
        for value in values:
            changed = (
                {name: value} if name in quick().get_params() else {"skorch_params": {name: value}}
            )
            quick().set_params(checkpoint=tmp_path, **changed).fit(X, Y)
    assert folders(tmp_path) == len(values)


def test_a_fitted_start_is_the_same_as_a_new_one(tmp_path):
    for init in (SEEDED, clone(SEEDED).fit(X[:, -1], Y)):
        quick().set_params(checkpoint=tmp_path, init=init).fit(X, Y)
    assert folders(tmp_path) == 1


def test_a_loss_that_counts_may_go_on_in_a_warm_start():
    counter = collections.Counter()
    inside = {"torch": torch, "counter": counter}
    exec("def loss(p, t):\n    counter['calls'] += 1\n    return (p - t) ** 2", inside)
    model = quick(loss=inside["loss"]).fit(X, Y).partial_fit(X, Y)
    assert model.n_iter_ == 4


# Descriptions


class Slotted:
    __slots__ = ("factor",)

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, prediction, target):
        return self.factor * (prediction - target) ** 2


class SlottedMore(Slotted):
    __slots__ = ("__dict__", "more")


@dataclasses.dataclass
class Data:
    factor: float
    more: list = dataclasses.field(default_factory=list)


class Module(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor))


class Abstract(abc.ABC):
    @abc.abstractmethod
    def loss(self): ...


class Level(enum.Enum):
    LOW, HIGH = 1.0, 2.0


Pair = collections.namedtuple("Pair", ["low", "high"])


def in_code(text, name="loss", **inside):
    inside = {"torch": torch, "np": np, "functools": functools, "contextlib": contextlib} | inside
    exec(text, inside)
    return inside[name]


def in_module(text, name="settings"):
    module = types.ModuleType(name)
    exec(text, vars(module))
    return module


def enclosing(factor):
    def loss(prediction, target):
        return factor * (prediction - target) ** 2

    return loss


def with_attribute(factor):
    loss = enclosing(1.0)
    loss.factor = factor
    return loss


def slotted_more(factor):
    made = SlottedMore(1.0)
    made.more = factor
    return made


def nested(factor):
    return in_code(f"def loss(p, t):\n    return (lambda x: [{factor} * y for y in x])(p - t)")


def cyclic(factor):
    a, b = Cost(1.0), Cost(factor)
    a.other, b.other = b, a
    return a.loss


def mutual(factor):
    text = f"""
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n == {factor} or even(n - 1)
def loss(p, t): return even(t)
"""
    return in_code(text)


def in_class(factor):
    text = f"""
class Base:
    @property
    def factor(self): return {factor}
class Loss(Base):
    @staticmethod
    def of(p): return p
    def __call__(self, p, t): return super().factor
loss = Loss()
"""
    return in_code(text)


def wrapped(factor):
    text = f"""
@torch.no_grad()
def no_grad(p): return {factor} * p
@functools.lru_cache
def cached(p): return no_grad(p)
@contextlib.contextmanager
def managed(): yield cached(1)
def loss(p, t):
    with managed() as x: return x
"""
    return in_code(text)


def importing(text):
    """A function that imports what differs, inside."""

    def make(factor):
        sys.modules["settings_of_test"] = in_module(f"FACTOR = {factor}", "settings_of_test")
        try:
            loss = in_code(text)
            return types.SimpleNamespace(told=told(loss))
        finally:
            del sys.modules["settings_of_test"]

    return make


DIFFERENT = {
    "bound method": lambda x: Cost(x).loss,
    "callable instance": Module,
    "slots": Slotted,
    "slots of a base": SlottedMore,
    "slots beside a dict": slotted_more,
    "dataclass": Data,
    "partial": lambda x: functools.partial(of_helper, target=x),
    "partial of a method": lambda x: functools.partial(Cost(x).loss),
    "closure": enclosing,
    "default": lambda x: in_code(f"def loss(p, t, x={x}): return x"),
    "keyword-only default": lambda x: in_code(f"def loss(p, t, *, x={x}): return x"),
    "constant in the code": lambda x: in_code(f"def loss(p, t): return {x}"),
    "nested code": nested,
    "attribute of a function": with_attribute,
    "operator": operator.itemgetter,
    "builtin method": lambda x: {"a": x}.get,
    "class attribute": lambda x: type("Loss", (), {"x": x}),
    "instance of a class": lambda x: type("Loss", (), {"x": x})(),
    "base class": lambda x: type("Loss", (type("Base", (), {"x": x}),), {}),
    "method, property, super": in_class,
    "global": lambda x: in_code("def loss(p, t): return F", F=x),
    "global in a comprehension": lambda x: in_code("def loss(p, t): return [F for _ in p]", F=x),
    "global array": lambda x: in_code("def loss(p, t): return F", F=np.array([x])),
    "global tensor": lambda x: in_code("def loss(p, t): return F", F=torch.tensor([x])),
    "global table": lambda x: in_code("def loss(p, t): return F", F=pd.DataFrame({"a": [x]})),
    "global class": lambda x: in_code("def loss(p, t): return F()", F=type("F", (), {"x": x})),
    "global module": lambda x: in_code("def loss(p, t): return m.F", m=in_module(f"F = {x}")),
    "module by getattr": lambda x: in_code(
        "def loss(p, t): return getattr(m, 'F')", m=in_module(f"F = {x}")
    ),
    "helper of a module": lambda x: in_code(
        "def loss(p, t): return m.f(p)", m=in_module(f"F = {x}\ndef f(p): return F * p")
    ),
    "enclosed module": lambda x: in_code(
        "def make(m):\n    def loss(p, t): return m.F\n    return loss", "make"
    )(in_module(f"F = {x}")),
    "module as an attribute": lambda x: types.SimpleNamespace(m=in_module(f"F = {x}")),
    "import inside": importing(
        "def loss(p, t):\n    import settings_of_test as s\n    return s.FACTOR"
    ),
    "from import inside": importing(
        "def loss(p, t):\n    from settings_of_test import FACTOR\n    return FACTOR"
    ),
    "decorated helper": wrapped,
    "two calls deep": lambda x: in_code(
        "def h(): return F\ndef g(): return h()\ndef loss(p, t): return g()", F=x
    ),
    "cycle of objects": cyclic,
    "cycle of functions": mutual,
    "cycle of a list": lambda x: (lambda made: made.append(made) or made)([x]),
    "list": lambda x: ["a", [x]],
    "dict": lambda x: {"a": {"b": x}},
    "set": lambda x: {"a", x},
    "tensor": lambda x: torch.tensor(x),
    "bfloat16": lambda x: torch.tensor([x], dtype=torch.bfloat16),
    "sparse tensor": lambda x: torch.tensor([0.0, x]).to_sparse(),
    "parameter": lambda x: torch.nn.Parameter(torch.tensor([x])),
    "array": lambda x: np.array([x]),
    "array of objects": lambda x: np.array([Data(x)]),
    "masked array": lambda x: np.ma.masked_values([x, 7.0], 7.0),
    "table": lambda x: pd.DataFrame({"a": [x], "b": ["c"]}),
    "names of a table": lambda x: pd.DataFrame({f"a{x}": [1.0]}),
    "named tuple": lambda x: Pair(0, x),
    "deque": lambda x: collections.deque([x]),
    "ordered dict": lambda x: collections.OrderedDict(a=x),
    "library object": lambda x: torch.nn.SmoothL1Loss(beta=x),
    "enum": Level,
    "random numbers": lambda x: np.random.default_rng(int(x)),
}


@pytest.mark.parametrize("make", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_told_apart_and_what_does_not_is_not(make):
    first, again, other = make(1.0), make(1.0), make(2.0)
    first, again, other = (getattr(x, "told", None) or told(x) for x in (first, again, other))
    assert first == again
    assert first != other


def test_handlers_of_exceptions_belong_to_the_code():
    text = "def loss(p, t):\n    try:\n        return p\n    except {}:\n        return t"
    assert told(in_code(text.format("ValueError"))) != told(in_code(text.format("TypeError")))


def test_where_and_how_code_is_written_does_not_matter():
    text = "def loss(p, t):\n    return abs(p - t)"
    other = "\n\n# The error.\ndef loss(p, t):\n    # absolute\n    return  abs(p  -  t)"
    assert told(in_code(text)) == told(in_code(other))


def test_a_global_that_is_not_read_does_not_matter():
    text = "def loss(p, t): return torch.abs(p - t).mean(log)"
    assert told(in_code(text, abs=1, mean=threading.Lock())) == told(in_code(text, abs=2))


def test_an_array_is_the_same_wherever_it_lies(tmp_path):
    array = RNG.normal(size=(50, 4))
    joblib.dump(array, tmp_path / "array")
    mapped = joblib.load(tmp_path / "array", mmap_mode="r")
    expected = told({"a": array})
    assert told({"a": mapped}) == told({"a": np.asfortranarray(array)}) == expected
    assert told({"a": np.repeat(array, 2, axis=0)[::2]}) == expected
    assert told({"a": array.astype(np.float32)}) != expected


def test_what_is_held_twice_is_the_same_as_two_of_a_kind():
    one = Data(1.0)
    assert told([one, one]) == told([Data(1.0), Data(1.0)]) != told([one, Data(2.0)])


def test_many_that_refer_to_each_other_end():
    cost = [Cost(float(k)) for k in range(200)]
    for one in cost:
        one.others = cost
    assert told(cost[0].loss) == told(cost[0].loss) != told(cost[1].loss)


def test_libraries_are_names_and_versions():
    describer = Describer(strict=True)
    assert describer.describe(torch.nn.functional.huber_loss, "loss").startswith(
        "torch.nn.functional.huber_loss "
    )
    describer.describe(of_helper, "loss")
    assert describer.libraries["torch"] == torch.__version__.partition("+")[0]


def test_another_version_of_a_library_is_another_training(tmp_path, monkeypatch):
    quick(checkpoint=tmp_path, loss=of_helper).fit(X, Y)
    monkeypatch.setattr("sklstm._train.identity._version", lambda top: {top: "0.1"})
    quick(checkpoint=tmp_path, loss=of_helper).fit(X, Y)
    assert folders(tmp_path) == 2


def test_a_module_of_the_user_is_none_of_pythons(tmp_path, monkeypatch):
    """Also if it has the name of one."""
    (tmp_path / "this.py").write_text("F = 1.0\ndef loss(p, t): return F * p")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "this", raising=False)
    from sklstm._train import code_names

    code_names.is_installed.cache_clear()
    loss = importlib.import_module("this").loss
    first = told(loss)
    monkeypatch.setattr(sys.modules["this"], "F", 2.0)
    assert told(loss) != first
    monkeypatch.undo()
    code_names.is_installed.cache_clear()


# Other processes


MODULE = """
import functools, logging, re
import numpy as np, torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sub import helper
LOG = logging.getLogger(__name__)
NAMES = {"a", "b", "c", "d"}
FROZEN = frozenset(["x", "y", "z"])
PATTERN = re.compile("a+")
class Base:
    __slots__ = ("factor", "names")
    kinds = {"one", "two", "three"}
class Cost(Base):
    __slots__ = ()
    def __init__(self, factor): self.factor, self.names = factor, {"e", "f", "g"}
    def loss(self, p, t):
        LOG.debug("%s", super())
        if "x" in {"u", "v", "w", "x"} and NAMES and FROZEN and PATTERN:
            return helper.scaled(self.factor, p - t) ** 2
@functools.lru_cache
def cached(x): return x
def loss(p, t, *, cost=Cost(2.0)): return cached(cost.loss(p, t)) + torch.tensor(np.ones(2))
"""
HELPER = """
from . import more
def scaled(x, y): return more.F * x * y
"""
SCRIPT = """
import sys
import mine
from joblib.externals.loky import get_reusable_executor
from sklstm._train.identity import Describer
local = mine.Cost(3.0).loss
def of_script(p, t): return local(p, t) + mine.loss(p, t)
def tell(call):
    for value in (mine.loss, mine.Cost(2.0).loss, of_script, mine.Cost, mine.Ridge()):
        print(call(Describer(strict=True).describe, value, "loss"))
if __name__ == "__main__":
    tell(lambda function, *args: function(*args))
    if sys.argv[1] == "worker":
        tell(lambda *call: get_reusable_executor(1).submit(*call).result())
    else:
        mine.helper.more.F = 4.0
        tell(lambda function, *args: function(*args))
"""


def test_another_process_tells_the_same(tmp_path):
    (tmp_path / "sub").mkdir()
    for name, text in {
        "mine.py": MODULE,
        "sub/__init__.py": "",
        "sub/helper.py": HELPER,
        "sub/more.py": "F = 3.0",
        "script.py": SCRIPT,
    }.items():
        (tmp_path / name).write_text(text)

    def run(seed, what):
        paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        command = [sys.executable, "script.py", what]
        lines = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True).split()
        values = lines[1::2]  # each line is a name and a digest
        return values[:5], values[5:]

    first, of_worker = run("1", "worker")
    again, changed = run("2", "change")
    assert first == of_worker == again
    assert [a == b for a, b in zip(first, changed, strict=True)] == [False] * 4 + [True]


# What is refused


def with_state(**state):
    cost = Cost(1.0)
    vars(cost).update(state)
    return cost.loss


@contextlib.contextmanager
def opened(tmp_path):
    with (tmp_path / "log.txt").open("w") as file:
        yield file


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: with_state(log=file), r"TextIOWrapper \(loss: __self__, attribute log\)"),
        (lambda file: with_state(lock=threading.Lock()), r"lock \(loss: __self__, attribute lock"),
        (lambda file: with_state(steps=iter([1])), r"list_iterator \(loss: .*attribute steps"),
        (lambda file: with_state(steps=(x for x in [1])), r"generator \(loss: .*attribute steps"),
        (lambda file: with_state(a={"b": [0, file]}), r"attribute a, \[\"b\"\], \[1\]\)"),
        (lambda file: enclosing(file), r"TextIOWrapper \(loss: enclosed factor\)"),
        (lambda file: functools.partial(of_helper, file), r"TextIOWrapper \(loss: "),
        (lambda file: in_code("def loss(p, t): return F", F=file), r"\(loss: global F\)"),
        (
            lambda file: in_code("def f(): return F\ndef loss(p, t): return f()", F=file),
            r"\(loss: global f, global F\)",
        ),
        (
            lambda file: in_code("def loss(p, t): return eval('p')"),
            r"what loss reads by eval\(\) \(loss\)",
        ),
        (lambda file: type("Loss", (), {"lock": threading.Lock()}), r"\(loss: attribute lock\)"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_its_place(make, message, tmp_path):
    with opened(tmp_path) as file, pytest.raises(ValueError, match=message):
        told(make(file))


def test_it_is_refused_before_training_and_only_with_a_checkpoint(tmp_path):
    loss = with_state(lock=threading.Lock())
    with pytest.raises(ValueError, match=r"checkpoint finds .* __getstate__, or set checkpoint=N"):
        quick(checkpoint=tmp_path, loss=loss).fit(X, Y)
    assert folders(tmp_path) == 0
    assert quick(loss=loss).fit(X, Y).n_iter_ == 3


def test_what_a_class_leaves_out_of_its_state_does_not_matter():
    class Locked(Cost):
        def __init__(self, factor):
            super().__init__(factor)
            self.lock = threading.Lock()

        def __getstate__(self):
            return {name: value for name, value in vars(self).items() if name != "lock"}

    assert told(Locked(1.0).loss) == told(Locked(1.0).loss) != told(Locked(2.0).loss)


def test_lists_in_lists_that_are_too_deep_are_refused():
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="cannot describe loss, which is nested too deeply"):
        told(with_state(deep=deep))


def test_a_logger_is_known_by_its_name():
    text = "def loss(p, t): return LOG"
    logs = [logging.getLogger(name) for name in ("a", "a", "b")]
    first, same, other = (told(in_code(text, LOG=log)) for log in logs)
    assert first == same != other


# What a user's callback changes, and what code reads by a name


class Rate(Callback):
    def __init__(self, factor):
        self.factor = factor

    def on_epoch_begin(self, net, **kwargs):
        net.optimizer_.param_groups[0]["lr"] = 0.003 * self.factor


class Watch(Callback):
    def on_epoch_end(self, net, **kwargs):
        len(net.history)


@pytest.mark.parametrize(("callbacks", "n_trainings"), [((Rate(1), Rate(9)), 2), ((Watch(),), 1)])
def test_a_callback_that_changes_the_training_makes_another(callbacks, n_trainings, tmp_path):
    quick(checkpoint=tmp_path).fit(X, Y)
    for callback in callbacks:
        quick(checkpoint=tmp_path, skorch_params={"callbacks": [callback]}).fit(X, Y)
    assert folders(tmp_path) == n_trainings + (n_trainings > 1)


OF_SETTINGS = """
alpha = 1.0

def __getattr__(name):
    if name == "beta":
        return alpha
    raise AttributeError(name)
"""
READ_INDIRECTLY = {
    "getattr": "NAME = 'alpha'\ndef loss(p, t):\n    return getattr(settings, NAME) * (p - t) ** 2",
    "vars": "NAME = 'alpha'\ndef loss(p, t):\n    return vars(settings)[NAME] * (p - t) ** 2",
    "attrgetter": "from operator import attrgetter\nget = attrgetter('alpha')\n"
    "def loss(p, t):\n    return get(settings) * (p - t) ** 2",
    "module's own": "def loss(p, t):\n    return settings.beta * (p - t) ** 2",
}


@pytest.mark.parametrize("how", READ_INDIRECTLY)
def test_what_a_module_gives_by_a_name_is_told_apart(how, monkeypatch):
    settings = types.ModuleType("settings_of_mine")
    exec(OF_SETTINGS, vars(settings))
    monkeypatch.setitem(sys.modules, "settings_of_mine", settings)
    mine = types.ModuleType("losses_of_mine")
    monkeypatch.setitem(sys.modules, "losses_of_mine", mine)
    exec(f"import settings_of_mine as settings\n{READ_INDIRECTLY[how]}", vars(mine))
    before = told(mine.loss)
    assert told(mine.loss) == before
    settings.alpha = 2.0
    assert told(mine.loss) != before


@pytest.mark.parametrize(
    "value",
    [
        lambda p, t: float(os.environ["ALPHA"]) * (p - t) ** 2,
        lambda p, t: sys.modules["settings"].alpha * (p - t) ** 2,
        lambda p, t: importlib.import_module("settings").alpha * (p - t) ** 2,
        lambda p, t: float(getenv("ALPHA")) * (p - t) ** 2,
        lambda p, t: float(sys.argv[1]) * (p - t) ** 2,
        lambda p, t: float(open("alpha.txt").read()) * (p - t) ** 2,  # noqa: SIM115
        lambda p, t: float(Path("alpha.txt").read_text()) * (p - t) ** 2,
        lambda p, t: float(np.loadtxt("alpha.txt")) * (p - t) ** 2,
        lambda p, t: torch.load("alpha.pt") * (p - t) ** 2,
        lambda p, t: pd.read_csv("alpha.csv").iloc[0, 0] * (p - t) ** 2,
        lambda p, t: joblib.load("alpha") * (p - t) ** 2,
        np.frompyfunc(lambda epoch: 0.5**epoch, 1, 1),
    ],
    ids=[
        *("environ", "modules", "import_module", "getenv", "argv", "open", "Path", "loadtxt"),
        *("torch.load", "read_csv", "joblib.load", "frompyfunc"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(value):
    with pytest.raises(ValueError, match=r"checkpoint|cannot"):
        told(value)


def test_a_fit_leaves_a_module_given_as_a_loss_as_it_was(tmp_path):
    loss = torch.nn.HuberLoss(reduction="none", delta=0.2)
    for _ in range(2):
        quick(loss=loss, checkpoint=tmp_path).fit(X, Y, X_val=X, y_val=Y)
        assert loss.training
    assert folders(tmp_path) == 1
