"""Writes into the pages of the docs what their code prints: `make outputs`.

Each block of Python is run, in the order of its page, as the cells of a notebook are. What it
prints, and the value of its last line, follow in an own block. `tests/test_docs.py` compares.
"""

import ast
import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent
MADE = {"_build", "api", "gallery"}  # folders of docs/ that `make docs` fills
CHANGES_THE_PACKAGE = "add_your_own"  # its blocks are steps, which a test of its own takes
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```output\n(.*?)^```\n)?", re.S | re.M)
PROGRESS_BAR = re.compile(r"^.*━.*\n", re.M)


def pages():
    """Pages with code, and the README."""
    written = [p for p in sorted((ROOT / "docs").rglob("*.md")) if not MADE & set(p.parts)]
    pages = [p for p in [ROOT / "README.md", *written] if p.stem != CHANGES_THE_PACKAGE]
    return [p for p in pages if BLOCK.search(p.read_text())]


def outputs(text, name):
    """What each block of a page shows, in the current folder."""
    names, blocks = {"__name__": name}, BLOCK.finditer(text)
    return [_output(block[1], names, f"{name}:{_line(text, block)}") for block in blocks]


def with_outputs(text, shown):
    """The page with an output behind each block that shows something."""
    shown = iter(shown)

    def replace(match):
        output = next(shown)
        behind = f"\n```output\n{output}\n```\n" if output else ""
        return f"```python\n{match[1]}```\n{behind}"

    return BLOCK.sub(replace, text)


def _line(text, match):
    return text.count("\n", 0, match.start()) + 2


def _output(code, names, place):
    *statements, last = ast.parse(code).body
    shows = isinstance(last, ast.Expr)
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        np.printoptions(precision=3, suppress=True, linewidth=96, threshold=20),
        pd.option_context("display.precision", 3, "display.width", 96, "display.max_rows", 8),
    ):
        statements = statements if shows else [*statements, last]
        exec(compile(ast.Module(statements, []), place, "exec"), names)
        if shows:
            value = eval(compile(ast.Expression(last.value), place, "eval"), names)
            if _is_shown(value):
                print(_shown(value))
    text = PROGRESS_BAR.sub("", printed.getvalue()).rstrip()
    return "\n".join(line.rstrip() for line in text.splitlines())


def _shown(value):
    if isinstance(value, float | np.generic):
        return f"{value:.3f}" if isinstance(value, float | np.floating) else str(value)
    if isinstance(value, dict) and all(isinstance(one, float) for one in value.values()):
        return "\n".join(f"{name}: {one:.3f}" for name, one in value.items())
    return value if isinstance(value, pd.DataFrame | pd.Series | np.ndarray) else repr(value)


def _is_shown(value):
    """Not estimators, which notebooks draw, nor pictures, nor what a file's writing returns."""
    drawn = type(value).__module__.startswith(("matplotlib", "sklstm.", "sklearn."))
    return value is not None and not drawn and not hasattr(value, "get_params")


def main():
    """Rewrite the pages that are named, or all."""
    for page in [Path(name).resolve() for name in sys.argv[1:]] or pages():
        text = page.read_text()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            page.write_text(with_outputs(text, outputs(text, page.stem)))
        print(os.path.relpath(page, ROOT))


if __name__ == "__main__":
    main()
