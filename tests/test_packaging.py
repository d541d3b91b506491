"""What is said twice about the package says the same."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import sklstm

ROOT = Path(__file__).parent.parent
REPOSITORY = "https://github.com/sklstm/sklstm"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_in_one_place():
    assert version("sklstm") == sklstm.__version__
    assert "version" in PROJECT["dynamic"]


def test_a_release_is_dated_and_cited():
    changes = (ROOT / "CHANGELOG.md").read_text()
    number, day = re.search(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changes, re.M).groups()
    citation = (ROOT / "CITATION.cff").read_text()
    assert number == sklstm.__version__
    assert f"\nversion: {number}\n" in citation
    assert f'\ndate-released: "{day}"\n' in citation


def test_workflows_have_few_rights_and_fixed_actions():
    """A tag of an action can be moved to other code, a commit cannot."""
    paths = list((ROOT / ".github" / "workflows").glob("*.yml"))
    assert "release.yml" in {path.name for path in paths}
    for path in paths:
        text = path.read_text()
        assert "\npermissions:\n  contents: read\n" in text, path.name
        for action in re.findall(r"uses: (\S+.*)", text):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action), f"{path.name}: {action}"


def test_the_estimators_are_listed():
    assert dir(sklstm) == sorted([*sklstm.__all__, "__version__"])
    assert {"LSTMClassifier", "LSTMRegressor"} <= set(dir(sklstm))


def test_the_lowest_versions_are_those_that_are_tested():
    extras = [PROJECT["optional-dependencies"][name] for name in ("mat", "onnx", "plot")]
    needed = [line.split(">=") for line in sum(extras, PROJECT["dependencies"])]
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if line[0] != "#")
    for name, lowest in needed:
        assert re.fullmatch(rf"{re.escape(lowest)}(\.0)*", tested[name]), name


def test_links_of_the_readme_work_on_other_pages():
    text = "\n".join((ROOT / name).read_text() for name in ("README.md", "SECURITY.md"))
    links = re.findall(r"\]\((\S+)\)|^\[.+\]: (\S+)$|src=\"(\S+)\"", text, re.MULTILINE)
    links = ["".join(found) for found in links]
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
    ours = [link.removeprefix(raw).removeprefix(f"{REPOSITORY}/blob/main/") for link in links]
    assert "docs/weather.png" in ours
    for link in ours:
        path, _, heading = link.partition("#")
        if not link.startswith("https://"):
            assert (ROOT / path).is_file(), link
            titles = re.findall("^#+ (.+)$", (ROOT / path).read_text(), re.M) if heading else []
            assert heading in ["", *(title.lower().replace(" ", "-") for title in titles)], link
    assert all(url.startswith(REPOSITORY) for url in PROJECT["urls"].values())


def rows_of(text, heading):
    """Cells of each line of the first table behind some words, by its first cell."""
    table = re.search(r"(^\|.+\n)+", text[text.index(heading) :], re.MULTILINE)[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]}


def test_the_readme_says_what_libraries_did():
    readme, results = (ROOT / "README.md").read_text(), ROOT / "benchmarks" / "results"
    alternatives = (results / "alternatives.md").read_text()
    text = (results / "speed-peers-cpu.md").read_text()
    speed = rows_of(text, "## small")
    headings = {
        "## Beside others": "## Regressors and classifiers",
        "Forecasters with a recurrent network": "## Forecasters with a recurrent network",
    }
    for said, found in headings.items():
        shown, tried = rows_of(readme, said), rows_of(alternatives, found)
        ratios = shown.pop("fit, times a PyTorch loop")
        assert shown == tried
        for name, ratio in ratios.items():
            system = speed.get(name.split()[0].replace("sklstm", "sklstm_auto"))
            assert ratio == (system["fit time / bare"] if system else "-"), name
    for system, words in {"sklstm_auto": "training takes", "sklstm": "it takes"}.items():
        sizes = (rows_of(text, f"## {size}") for size in ("tiny", "small", "medium", "large"))
        ratios = [rows[system]["fit time / bare"] for rows in sizes]
        said = "{} {}, {}, {} and {} times".format(words, *ratios)
        assert said in " ".join(readme.split()), said


def test_the_readme_says_how_good_it_was():
    shown = rows_of((ROOT / "README.md").read_text(), "With nothing set")
    skill = (ROOT / "benchmarks" / "results" / "skill.md").read_text()
    forecasts, labels = rows_of(skill, "## Forecasts"), rows_of(skill, "## Labels of rows")
    for name, measured in {
        "transformer oil in 24 hours, mean squared error": forecasts["ETTh1 oil (r)"],
        "tomorrow's lowest temperature, mean squared error": forecasts["daily minima (r)"],
        "tomorrow's highest temperature, mean squared error": forecasts["Seattle's weather (r)"],
        "room occupied, accuracy": labels["occupancy (r)"],
    }.items():
        numbers = {system: cell.split()[0] for system, cell in measured.items()}
        ours, other, plain = shown[name].values()
        assert (ours, plain) == (numbers.pop("sklstm"), numbers.pop("plain LSTM")), name
        best = max if "accuracy" in name else min
        assert other.split(",")[0] == best(numbers.values(), key=float), name

    reported = [
        row for name, row in rows_of(skill, "## Independent sequences").items() if "(r)" in name
    ]
    means = {
        system: sum(float(row[system].split()[0]) for row in reported) / len(reported)
        for system in reported[0]
    }
    ours, other, _ = shown["8 sets of independent sequences, mean accuracy"].values()
    assert ours == f"{means.pop('sklstm'):.3f}"
    assert other.split(",")[0] == f"{max(means.values()):.3f}"


def test_what_is_private_in_scikit_learn_is_imported_in_one_module():
    for path in Path(sklstm.__file__).parent.rglob("*.py"):
        if path.name == "sklearn_private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                assert not [name for name in names if name.startswith("_")], f"{path}:{node.lineno}"
