"""What the documentation shows runs, and docstrings are complete."""

import importlib.util
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
ADD_YOUR_OWN = ROOT / "docs" / "guide" / "add_your_own.md"
spec = importlib.util.spec_from_file_location("show_outputs", ROOT / "tools" / "show_outputs.py")
show_outputs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(show_outputs)


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


NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]\d+)?")


def assert_current(shown, now, place):
    """The same words and whole numbers; decimals, which processors round apart, nearly the same."""
    assert NUMBER.sub("#", shown).split() == NUMBER.sub("#", now).split(), place
    for before, after in zip(NUMBER.findall(shown), NUMBER.findall(now), strict=True):
        if "." in before + after:
            assert float(after) == pytest.approx(float(before), rel=0.2, abs=0.1), place
        else:
            assert before == after, place


@pytest.mark.parametrize("page", show_outputs.pages(), ids=lambda page: page.stem)
def test_blocks_run_and_show_what_comes_out(page, tmp_path, monkeypatch):
    """`make outputs` writes what they show into the page."""
    text = page.read_text()
    monkeypatch.chdir(tmp_path)  # where blocks may write
    shown = [match[2] or "" for match in show_outputs.BLOCK.finditer(text)]
    for i, now in enumerate(show_outputs.outputs(text, page.name)):
        assert_current(shown[i], now, f"block {i} of {page.name}: make outputs")
    plt.close("all")


def test_llms_txt_lists_the_pages():
    docs = ROOT / "docs"
    listed = re.findall(r"/docs/([\w/]+\.md)\)", (docs / "llms.txt").read_text())
    written = [p for p in [*docs.glob("*.md"), *docs.glob("guide/*.md")] if p.stem != "index"]
    assert sorted(listed) == sorted(path.relative_to(docs).as_posix() for path in written)


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

model = LSTMRegressor(8, loss="gamma", max_epochs=9, early_stopping=True, random_state=0)
model.fit(X, amounts)  # with an init that predicts logarithms
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


def test_each_finding_has_its_line_in_the_guide():
    guide = (ROOT / "docs" / "guide" / "elsewhere.md").read_text()
    scripts = sorted(path.name for path in (ROOT / "findings").glob("*.sh"))
    assert sorted(re.findall(r"/findings/([\w-]+\.sh)", guide)) == scripts
    assert set(re.findall(r"`([\w-]+\.sh)`", (ROOT / "findings" / "README.md").read_text())) == set(
        scripts
    )


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_complete(name):
    assert validate(name)["errors"] == []


def test_both_estimators_say_the_same_of_the_same_parameter():
    sharing = runpy.run_path(str(ROOT / "tools" / "share_docstrings.py"))
    source, copy = (sharing[name].read_text() for name in ("SOURCE", "COPY"))
    assert sharing["shared"](source, copy) == copy  # if not: python tools/share_docstrings.py
    in_both = sharing["entries"](source).keys() & sharing["entries"](copy).keys()
    assert in_both > sharing["OWN"]
    assert len(in_both) > 40
