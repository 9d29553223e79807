# Everything runs from this checkout, in a .venv built from constraints.txt on first use.
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: bench test test-slow figures claims acceptance regress lint speed clean

bench: .venv/.ready
	$(BIN)/hierbench run default

figures: .venv/.ready
	$(BIN)/hierbench figures default

claims: .venv/.ready
	$(BIN)/hierbench claims
	$(BIN)/hierbench claims --format markdown --output results/claims.md
	$(BIN)/hierbench claims --format latex --output results/claims.tex

acceptance: .venv/.ready
	$(BIN)/hierbench run acceptance

# one thread a process: two processes then share two cores without treading on one another
test: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

# what takes long: the wheel, folders of our names, further cases of what `make test` shows with one
test-slow: .venv/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile -m slow

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks/speed --benchmark-enable --benchmark-only

# neural-tangents goes in without its requirements: they pull in tensorflow (see pyproject.toml).
# pip compiles on one core, tests of the dependencies too: 103 s instead of 82 s on two cores.
# compileall fails on the files of theirs that are written for a later Python.
.venv/.ready: pyproject.toml constraints.txt $(wildcard benchmarks/packaging/*.py)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "make: Python 3.11 to 3.13 is needed and $(PYTHON) is another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-compile -c constraints.txt --no-deps neural-tangents
	$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true
	@touch $@

clean:
	rm -rf .venv *.egg-info build .pytest_cache .mypy_cache .ruff_cache
