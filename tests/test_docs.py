"""What the documentation shows runs, and docstrings are complete."""

import importlib.util
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
