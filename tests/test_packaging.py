"""What is said twice about the package says the same."""

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
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((\S+)\)", text) + re.findall(r"^\[.+\]: (\S+)$", text, re.MULTILINE)
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
