"""Examples run, print the scores of baselines, and become notebooks."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from sphinx_gallery.notebook import python_to_jupyter_cli

from sklstm._train.loop import SequenceNet

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))
TUTORIAL = "plot_pandas_to_forecast"
SCRIPTS = [path for path in EXAMPLES if path.stem != TUTORIAL]  # which runs as a notebook
ENVIRONMENT = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}

# The naive forecast and the plain scikit-learn baseline of each example, where not the usual ones.
BASELINES = {
    "plot_digits": ("most frequent digit", "logistic regression"),
    "plot_next_character": ("most frequent character", "logistic regression"),
    "plot_next_hours": ("seasonal naive", "gradient boosting"),
    "plot_sentences": ("most frequent label", "bag of words"),
}


@pytest.fixture
def few_epochs(monkeypatch):
    """Every training ends after two epochs; `make docs` runs the examples as they are."""
    train = SequenceNet.train

    def train_shortly(net, *args, epochs, **params):
        return train(net, *args, epochs=min(epochs, 2), **params)

    monkeypatch.setattr(SequenceNet, "train", train_shortly)


@pytest.mark.parametrize("example", SCRIPTS, ids=lambda path: path.stem)
def test_example_runs_and_prints_baselines(example, tmp_path, monkeypatch, capsys, few_epochs):
    if example.stem == "plot_co2":
        pytest.importorskip("statsmodels", reason="the measurements come with statsmodels")
    monkeypatch.chdir(tmp_path)
    with plt.rc_context():
        runpy.run_path(str(example))
    output = capsys.readouterr().out
    naive, baseline = BASELINES.get(example.stem, ("naive", "gradient boosting"))
    assert naive in output
    assert baseline in output
    assert (tmp_path / "pictures" / f"{example.stem}.png").exists()


def test_two_processes_train_what_one_does():
    example = EXAMPLES[0].parent / "train_in_two_processes.py"
    output = subprocess.check_output([sys.executable, "-W", "error", example], text=True)
    between, to_one = (float(line.split(": ")[1]) for line in output.splitlines()[:2])
    assert between == 0
    assert to_one < 1e-9


def convert(example, folder):
    """Make the notebook that the gallery offers."""
    script = shutil.copy(example, folder)
    python_to_jupyter_cli([script])
    return Path(script).with_suffix(".ipynb")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_becomes_a_notebook(example, tmp_path):
    notebook = nbformat.read(convert(example, tmp_path), as_version=4)
    nbformat.validate(notebook)
    assert {cell.cell_type for cell in notebook.cells} == {"code", "markdown"}
    for cell in notebook.cells:
        compile(cell.source, example.stem, "exec") if cell.cell_type == "code" else None
        assert "__file__" not in cell.source  # which a notebook has not
        assert "__main__" not in cell.source
        assert not re.search(r":\w+:`|^\.\. ", cell.source, re.MULTILINE)  # no markup of Sphinx


def test_tutorial_runs_as_a_notebook(tmp_path):
    """One of them all: the others run as scripts, cell after cell the same lines."""
    path = convert(EXAMPLES[0].parent / f"{TUTORIAL}.py", tmp_path)
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", path.name]
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "MPLBACKEND"}
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.get("name") != "stderr" for output in outputs), outputs  # no warning
    assert "naive" in printed
    assert "ridge" in printed
    assert any("image/png" in output.get("data", {}) for output in outputs)
