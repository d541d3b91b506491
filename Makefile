# Every target makes what it needs; the first one makes .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types check format clean

demo: .venv/.installed      ## tomorrow's temperature on a real weather table
	$(BIN)/python examples/plot_weather.py

test: .venv/.installed      ## all tests, doctests and README blocks
	$(BIN)/python -m pytest -n auto

lint: .venv/.installed      ## style, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/.installed
	$(BIN)/mypy

check: test lint types      ## what CI runs

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis examples/pictures

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@
