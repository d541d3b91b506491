"""Copy what `LSTMRegressor` says of a parameter or attribute to `LSTMClassifier`.

    python tools/share_docstrings.py

The text of the regressor is the source. Entries of `OWN` differ, and are written by hand in both.
"""

import re
from pathlib import Path

ESTIMATORS = Path(__file__).parent.parent / "sklstm" / "_estimators"
SOURCE, COPY = ESTIMATORS / "regressor.py", ESTIMATORS / "classifier.py"
OWN = {
    *(
        "input_transform",
        "init",
        "standardize",
        "early_stopping",
        "max_epochs",
        "validation_fraction",
    ),
    *("init_", "validation_losses_", "n_outputs_", "estimators_"),
}
ENTRY = re.compile(r"^    (\w[\w, ]*) : .*?(?=^    \w|^\n|\Z)", re.DOTALL | re.MULTILINE)


def entries(text):
    """The entries of the first docstring with parameters, by name."""
    start = text.index("    Parameters\n")
    docstring = text[start : text.index("    See Also\n", start)]
    return {match[1]: match[0] for match in ENTRY.finditer(docstring)}


def shared(source, copy):
    """The copy with the entries of the source."""
    theirs = entries(source)
    for name, entry in entries(copy).items():
        if name in theirs and name not in OWN:
            copy = copy.replace(entry, theirs[name], 1)
    return copy


if __name__ == "__main__":
    COPY.write_text(shared(SOURCE.read_text(), COPY.read_text()))
