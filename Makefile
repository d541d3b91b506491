# Every target makes what it needs; the first one makes .venv.
PYTHON ?= python3
BIN := .venv/bin
BENCH_PYTHON ?= $(BIN)/python
NIGHTLY ?= https://pypi.anaconda.org/scientific-python-nightly-wheels/simple

.PHONY: demo test lint types check test-lowest test-newest test-simulated-gpu coverage dist wheel-check beside outputs fuzz docs bench bench-peers bench-cuda format clean

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

check: lint types test      ## all three

test-lowest: .venv-lowest/.installed  ## all tests with the lowest versions that are allowed
	.venv-lowest/bin/python -m pytest -n auto

test-newest:                ## all tests with the newest of everything, and scikit-learn's of last night
	rm -rf .venv-newest
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --editable ".[test]"
	.venv-newest/bin/python -m pip install --quiet --upgrade --pre --no-deps \
		--index-url $(NIGHTLY) scikit-learn
	.venv-newest/bin/python -m pytest -n auto

test-simulated-gpu: .venv/.installed  ## what goes to a pretend device in each batch (also in make test)
	$(BIN)/python -m pytest tests/test_pretend_gpu.py tests/test_devices.py

coverage: .venv/.installed  ## the lines that no test runs, a file a line
	$(BIN)/python -m pytest -n auto --cov=sklstm --cov-branch --cov-report=term-missing:skip-covered

dist: .venv/.installed      ## sdist and wheel in dist/, checked as PyPI checks them
	rm -rf dist
	$(BIN)/python -m build --quiet --outdir dist .
	$(BIN)/python -m twine check --strict dist/*

beside: .venv/.installed    ## versions that pip would install of sklstm and each of its peers
	$(BIN)/python tools/resolve_beside.py

wheel-check:                ## the wheel, in an empty environment, runs the README's first block
	rm -rf .venv-wheel
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip wheel --quiet --no-deps --wheel-dir .venv-wheel/dist .
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt .venv-wheel/dist/*.whl
	sed -n '/^```python$$/,/^```$$/{/^```python$$/d;/^```$$/q;p}' README.md > .venv-wheel/readme.py
	.venv-wheel/bin/python -I -W error .venv-wheel/readme.py

outputs: .venv/.installed   ## what the code of the pages prints, written into the pages
	MPLBACKEND=agg $(BIN)/python tools/show_outputs.py

docs: .venv-docs/.installed  ## the site, in docs/_build/html; examples run, a warning is an error
	.venv-docs/bin/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html

fuzz: .venv/.installed      ## more of the cases that tests make up
	SKLSTM_EXAMPLES=5000 $(BIN)/python -m pytest -q tests/test_fuzz.py

bench: .venv/.installed     ## imports, speed, growth, convergence (ETT=path/to/ETTh1.csv: on it too)
	$(BIN)/python benchmarks/imports.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/convergence.py $(if $(ETT),--ett $(ETT))

bench-peers: .venv-peers/.installed  ## Keras, Darts and NeuralForecast: speed, and what they do
	.venv-peers/bin/python benchmarks/speed.py --systems all --repeats 3 \
		--out benchmarks/results/speed-peers-cpu
	.venv-peers/bin/python benchmarks/alternatives.py sklstm skorch keras darts neuralforecast

bench-cuda:                 ## on a GPU: the tests that want one, speed, growth
	$(BENCH_PYTHON) -m pytest -m cuda
	$(BENCH_PYTHON) benchmarks/speed.py --device cuda --repeats 3
	$(BENCH_PYTHON) benchmarks/growth.py --device cuda

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis pictures

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv-docs/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

.venv-lowest/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --constraint constraints-lowest.txt \
		--editable ".[test]"
	touch $@

.venv-peers/.installed: pyproject.toml constraints.txt benchmarks/requirements-peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --upgrade pip
	.venv-peers/bin/python -m pip install --quiet --requirement benchmarks/requirements-peers.txt --editable .
	touch $@
