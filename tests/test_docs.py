"""What the documentation shows runs, and docstrings are complete."""

import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklstm
import sklstm.datasets
import sklstm.inspection
import sklstm.plotting
import sklstm.testing

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# An extended summary, a See Also and an example are asked of classes and functions where they
# help, not of every method and attribute.
OPTIONAL = {"ES01", "SA01", "SA04", "EX01"}


def public_objects():
    for module in (sklstm, sklstm.datasets, sklstm.inspection, sklstm.plotting, sklstm.testing):
        for name in module.__all__:
            yield f"{module.__name__}.{name}"
            for method, value in vars(getattr(module, name)).items():
                ours = not re.match(r"_|set_\w+_request", method)  # scikit-learn writes the latter
                if ours and not isinstance(value, (int, str, dict)):
                    yield f"{module.__name__}.{name}.{method}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where blocks may write
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    exec(compile("\n".join(blocks), page.name, "exec"), {})


@pytest.mark.parametrize("name", list(public_objects()))
def test_docstring_is_complete(name):
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in OPTIONAL]
    assert not errors
