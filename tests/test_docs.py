"""What the documentation shows runs, and docstrings are complete."""

import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from numpydoc.validate import validate

import sklstm
import sklstm.datasets
import sklstm.inspection
import sklstm.plotting
import sklstm.testing

ROOT = Path(__file__).parent.parent
MADE = {"_build", "api", "gallery"}  # folders of docs/ that `make docs` fills
WRITTEN = [p for p in sorted((ROOT / "docs").rglob("*.md")) if not MADE & set(p.parts)]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
ADD_YOUR_OWN = ROOT / "docs" / "guide" / "add_your_own.md"  # its blocks change the package
PAGES = [p for p in [ROOT / "README.md", *WRITTEN] if BLOCK.search(p.read_text())]
PAGES.remove(ADD_YOUR_OWN)


def public_objects():
    for module in (sklstm, sklstm.datasets, sklstm.inspection, sklstm.plotting, sklstm.testing):
        for name in module.__all__:
            yield f"{module.__name__}.{name}"
            for member in public_members(getattr(module, name)):
                yield f"{module.__name__}.{name}.{member}"


def public_members(thing):
    """Methods and properties that this package wrote, in the class itself or in one below it."""
    for owner in inspect.getmro(thing) if inspect.isclass(thing) else ():
        if not owner.__module__.startswith("sklstm."):
            continue
        for name, value in vars(owner).items():
            ours = not re.match(r"_|set_\w+_request", name)  # scikit-learn writes the latter
            if ours and not isinstance(value, (int, str, dict)):
                yield name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_run(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where blocks may write
    exec(compile("\n".join(BLOCK.findall(page.read_text())), page.name, "exec"), {})
    plt.close("all")


def follow(page, folder):
    """Change the package in `folder` as a page says; return the code that then runs.

    A block is a new file, lines above one of a file, a change of a file, or code to run.
    """
    code = []
    for kind, block in re.findall(r"^```(python|diff)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        header = re.match(r"# (\S+\.py)(?:, above (.+))?\n", block)
        if header is None:
            code.append(block)
            continue
        path, block = folder / header[1], block[header.end() :]
        if kind == "diff":
            for hunk in block.split("@@\n"):
                lines = [(line[:1], line[1:]) for line in hunk.splitlines(keepends=True)]
                before = "".join(line for mark, line in lines if mark != "+")
                after = "".join(line for mark, line in lines if mark != "-")
                replace_once(path, before, after)
        elif header[2]:
            replace_once(path, f"\n{header[2]}", f"\n{block}\n\n{header[2]}")
        else:
            assert not path.exists()
            path.write_text(block)
    return "\n".join(code)


def replace_once(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1, (path.name, before)
    path.write_text(text.replace(before, after))


CHECKS_OF_ADDED = """
import onnxruntime

for X in (X, [x[:3] for x in X]):  # of different lengths, and of one
    for params in (
        {"cell": "mingru", "pooling": "last", "bidirectional": True, "num_layers": 2},
        {"cell": "mingru", "pooling": "attention", "dropout": 0.1, "dtype": "bfloat16"},
        {"input_transform": ["levels", "running_mean"], "missing": "mask"},
    ):
        model = LSTMRegressor(5, max_epochs=1, random_state=0, **params).fit(X, y)
        model.net_.module_.mixed_precision = False
        expected = model.predict(X)
        alone = np.concatenate([model.predict([x]) for x in X[:7]])
        np.testing.assert_allclose(alone, expected[:7], rtol=1e-3, atol=1e-4)
        model.to_onnx("model.onnx")
        lengths = np.array([len(x) for x in X])
        steps = np.zeros((len(X), max(lengths), 2))
        for row, x in zip(steps, X, strict=True):
            row[: len(x)] = x
        inputs = {"steps": steps, "lengths": lengths}
        (served,) = onnxruntime.InferenceSession("model.onnx").run(["prediction"], inputs)
        np.testing.assert_allclose(served, expected, rtol=1e-3, atol=1e-4)

model = LSTMRegressor(8, loss="poisson", max_epochs=9, early_stopping=True, random_state=0)
model.fit(X, counts)  # with an init that predicts logarithms
losses = model.validation_losses_.set_index("model")["loss"]
assert losses["init and network"] < losses["mean"]
model.to_onnx("model.onnx")
(served,) = onnxruntime.InferenceSession("model.onnx").run(["prediction"], inputs)
np.testing.assert_allclose(served, model.predict(X), rtol=1e-3)
model = LSTMRegressor(8, init="drift", early_stopping=True, max_epochs=2).fit(X, y)
assert model.validation_losses_["model"].tolist() == ["mean", "init", "init and network"]
"""


def test_what_the_page_adds_works(tmp_path):
    package = tmp_path / "sklstm"
    shutil.copytree(ROOT / "sklstm", package, ignore=shutil.ignore_patterns("data", "__pycache__"))
    code = follow(ADD_YOUR_OWN.read_text(), tmp_path)
    (tmp_path / "steps.py").write_text(code + CHECKS_OF_ADDED)
    command = [sys.executable, "-W", "error", "steps.py"]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ | {"PYTHONPATH": "."})


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_complete(name):
    assert validate(name)["errors"] == []


def test_both_estimators_say_the_same_of_the_same_parameter():
    sharing = runpy.run_path(str(ROOT / "docs" / "share_docstrings.py"))
    source, copy = (sharing[name].read_text() for name in ("SOURCE", "COPY"))
    assert sharing["shared"](source, copy) == copy  # if not: python docs/share_docstrings.py
    in_both = sharing["entries"](source).keys() & sharing["entries"](copy).keys()
    assert in_both > sharing["OWN"]
    assert len(in_both) > 40
