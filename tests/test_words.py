"""One word for one thing, the one that people search for: those of words.csv are replaced."""

import ast
import csv
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
with open(Path(__file__).with_name("words.csv"), encoding="utf-8") as file:
    WORDS = list(csv.DictReader(file))

FOLDERS = ["sklstm", "docs", "examples", "benchmarks"]
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("sklstm/_estimators/pruning.py", r"\bobjectives?\b"): "Optuna's word for what it optimises",
    ("docs/guide/search.md", r"\bobjectives?\b"): "Optuna's word for what it optimises",
}
"""File and pattern: the reason why the word stays."""


@functools.cache
def files():
    """Each file's text in one line, and the names it gives; read and parsed once for all words."""
    paths = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
    paths += [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in paths
        if path.suffix in {".py", ".md", ".rst", ".csv"}
        and path.is_file()
        and "_build" not in path.parts
    }
    return [
        (path, " ".join(text.split()), set(names_of(text)) if path.suffix == ".py" else set())
        for path, text in texts.items()
    ]


def names_of(text):
    """Names that a file gives to its functions, classes, arguments, attributes and variables."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id


def hits(word):
    """Places where a word stands."""
    pattern = re.compile(word["pattern"], re.IGNORECASE if word["kind"] == "text" else 0)
    for path, text, names in files():
        place = str(path.relative_to(ROOT))
        if (place, word["pattern"]) in EXCEPTIONS:
            continue
        if word["kind"] == "text":
            yield from (
                f"{place}: {text[max(m.start() - 30, 0) : m.end() + 30]}"
                for m in pattern.finditer(text)
            )
        elif path.suffix == ".py" and word["kind"] == "module":
            if pattern.fullmatch(path.stem.lstrip("_")):
                yield place
        elif path.suffix == ".py":
            yield from (f"{place}: {name}" for name in names if pattern.fullmatch(name))


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word['kind']} {word['pattern']}")
def test_the_words_of_the_field(word):
    found = list(hits(word))
    assert not found, f"say {word['say']}: " + "\n".join(found[:40])


def test_the_list_stays_short():
    assert len(WORDS) <= 60
    assert len(EXCEPTIONS) <= 15
