# Everything runs from this checkout, in a .venv built from constraints.txt on first use.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

QUICKLY := --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false

.PHONY: bench test test-slow figures claims reference reference-figures acceptance regress lint speed docs clean

bench: .venv/.ready
	$(BIN)/hierbench run default

figures: .venv/.ready
	$(BIN)/hierbench figures default

claims: .venv/.ready
	$(BIN)/hierbench claims
	$(BIN)/hierbench claims --format markdown --output results/claims.md
	$(BIN)/hierbench claims --format latex --output results/claims.tex

# what ships of the default suite: rows and certificates, computed anew where they are not current
reference: .venv/.ready
	$(BIN)/hierbench run default
	$(BIN)/hierbench export default --output benchmarks/results/reference_rows/default.json.gz

# the figures of README and docs that are made of results that ship, from these
reference-figures: .venv/.ready
	$(BIN)/hierbench figures default --results reference
	$(BIN)/hierbench figures paper-cpu --results reference
	$(BIN)/hierbench figures paper --results reference
	$(BIN)/hierbench figures phase --results reference
	$(BIN)/hierbench figures phase-d16 --results reference
	$(BIN)/hierbench figures correction --results reference
	$(BIN)/hierbench figures real --results reference

acceptance: .venv/.ready
	$(BIN)/hierbench run acceptance

# one thread a process: two processes then share two cores without treading on one another.
# Compiled without optimisation, in an eighth of the time, and equal up to rounding; the others run what users run.
test: .venv/.ready
	OMP_NUM_THREADS=1 NPROC=1 XLA_FLAGS="$(QUICKLY)" $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

# What takes long: the wheel, folders of our names, further cases of what `make test` shows with one.
# A process that dies ends them all: with another in its place, pytest-xdist 3.8 waits for ever at the end.
test-slow: .venv/.ready
	OMP_NUM_THREADS=1 NPROC=1 $(BIN)/python -m pytest -n auto --dist loadgroup --max-worker-restart=0 -m slow

# the ci suite against the baselines in benchmarks/gate/baselines: exit status 1 where a curve got worse
regress: .venv/.ready
	$(BIN)/hierbench regress

lint: .venv/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/links && mkdir -p build/links/hierbench
	cd build/links/hierbench && \
	  ln -s $(addprefix ../../../,benchmarks learners plots targets benchmarks/package/*.*) .
	$(BIN)/mypy

speed: .venv/.ready
	OMP_NUM_THREADS=1 NPROC=1 $(BIN)/python -m pytest benchmarks/speed --benchmark-enable --benchmark-only

# Pages in build/docs: a warning, a dead link or an example that fails is an error.
docs: .venv/.docs
	OMP_NUM_THREADS=1 NPROC=1 $(BIN)/python -m sphinx -W --keep-going -n -q -d build/doctrees docs build/docs
	@echo build/docs/index.html

# neural-tangents goes in without its requirements: they pull in tensorflow (see pyproject.toml).
# Byte code is made of what a run imports, by importing it: of all files it takes 29 s on two cores.
BYTE_CODE := PYTHONDONTWRITEBYTECODE= $(BIN)/python -c
.venv/.ready: pyproject.toml constraints.txt $(wildcard benchmarks/packaging/*.py)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make: Python 3.11 to 3.13 is needed and $(PYTHON) is another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt --no-deps neural-tangents
	@set -e; $(BYTE_CODE) 'import torch, distributed, pytest_benchmark.plugin, xdist.plugin' & a=$$!; \
	$(BYTE_CODE) 'import frozendict, hypothesis.strategies, jax, matplotlib.pyplot, pebble, psutil, typer, rich.progress' & b=$$!; \
	$(BYTE_CODE) 'import scipy.stats, sklearn.ensemble, sklearn.utils.estimator_checks' & c=$$!; \
	$(BIN)/python -m compileall -qq .venv/lib/python3.*/site-packages/neural_tangents || true; wait $$a; wait $$b; wait $$c
	@touch $@

.venv/.docs: .venv/.ready
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt -e '.[docs]'
	@touch $@

clean:
	rm -rf .venv *.egg-info build docs/generated docs/gallery .pytest_cache .mypy_cache .ruff_cache
