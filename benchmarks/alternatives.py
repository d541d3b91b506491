"""What each library supports, by trying it: the README's tables.

    python benchmarks/alternatives.py sklstm skorch keras darts neuralforecast
    another/.venv/bin/python benchmarks/alternatives.py aeon skforecast   # pandas below 3.1

Every result is a call with the library's own classes and defaults, except for a small network, one
epoch, and parameters for the capability, such as `missing="mask"`. If the call raises, or predicts
NaN, the capability is not supported, and the message is the reason. A capability that a library has
no call for is not tried. Results of libraries that are not tried again are kept.
"""

import os
import sys
import tempfile
import traceback
from importlib.metadata import version

import pandas as pd
from libraries import forecasters, sequences
from report import RESULTS, markdown

TABLES = {
    "Regressors and classifiers of windows and sequences": sequences,
    "Forecasters with a recurrent network": forecasters,
}
WORDS = """\
*padded*, *filled*: after a function of the library pads sequences with zeros, or fills in missing
values. *masked*: with a column that marks them. *any*: networks are written by the user. -: not
tried, as there is no call for it."""


def main():
    path = RESULTS.resolve() / "alternatives.csv"
    with tempfile.TemporaryDirectory() as folder:  # for files that libraries leave
        os.chdir(folder)
        results = try_libraries(sys.argv[1:], pd.read_csv(path, dtype=str))
    results.to_csv(path, index=False)
    path.with_suffix(".md").write_text(describe(results))


def try_libraries(names, results):
    """Try libraries in each table that has them, and put their results in place of the old ones."""
    parts = []
    for title, module in TABLES.items():
        for name in module.LIBRARIES:
            new = pd.DataFrame(attempts(title, module, name)) if name in names else None
            old = results[(results["table"] == title) & (results["library"] == name)]
            parts.append(old if new is None else new)
    return pd.concat(parts)


def attempts(title, module, name):
    """Call each method of a library that is a capability, and list results and errors."""
    library = module.LIBRARIES[name]()
    for capability in module.CAPABILITIES:
        if not hasattr(library, capability):
            continue
        try:
            found = getattr(library, capability)()
            supported, result = ("yes", found) if isinstance(found, str) else found
        except ImportError:  # says nothing about the library
            raise
        except Exception as error:
            traceback.print_exc(limit=-2)
            result, supported = f"{type(error).__name__}: {error}".split("\n")[0][:160], "no"
        print(name, capability, supported, result, flush=True)
        yield {
            "table": title,
            "library": name,
            "version": version(name),
            "capability": capability,
            "supported": supported,
            "result": result.strip(),
        }


def describe(results):
    """Write both tables, a line for each capability, and the results below each."""
    lines = [
        "# What each library supports",
        "",
        "`python benchmarks/alternatives.py LIBRARY ...`",
        "",
        WORDS,
    ]
    for title, module in TABLES.items():
        part = results[results["table"] == title]
        part = part.assign(column=part["library"] + " " + part["version"])
        cells = part.set_index(["capability", "column"])["supported"]
        rows = [
            {"": meaning} | {name: cells.get((key, name), "-") for name in part["column"].unique()}
            for key, meaning in module.CAPABILITIES.items()
        ]
        lines += ["", f"## {title}", "", markdown(rows), ""]
        lines += [
            f"* {one.library}, {module.CAPABILITIES[one.capability]}, {one.supported}: {one.result}"
            for one in part.itertuples()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
