"""What the documentation shows runs, and docstrings are complete."""

import inspect
import re
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
PAGES = [p for p in [ROOT / "README.md", *WRITTEN] if BLOCK.search(p.read_text())]


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


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_complete(name):
    assert validate(name)["errors"] == []
