# make demo    install, generate a street scene, track it, score it: see demo-output/
# make test    install what the tests need, and run every check: the same as CI
# make check   format, lint, types, layers      make unit     the fast tests
# make docs    the documentation                make picture  the picture in the README
# make format  reformat                         make lock     renew the lock files

.PHONY: demo test setup check unit integration docs picture format lock clean
.DEFAULT_GOAL := help

# The tests start hundreds of processes, which shall not all compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
PARALLEL := --dist loadfile --no-loadscope-reorder
UNCOUNTED := tests/acceptance/jobs tests/integration/broker tests/integration/bench
DEMO_ARGUMENTS := $(if $(VIDEO),"$(VIDEO)") $(if $(DETECTOR),--detector "$(DETECTOR)")

help:
	@sed -n 's/^# //p' Makefile

demo:
	@PYTHON="$(PYTHON)" scripts/setup demo
	$(BIN)/sightline demo $(DEMO_ARGUMENTS) --output demo-output

setup:
	@PYTHON="$(PYTHON)" scripts/setup dev
	@scripts/apt-install $$(sed 's/#.*//' tests/debian-packages.txt)

test: setup check integration docs

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	$(BIN)/pytest tests/unit
	$(BIN)/pytest src --doctest-modules

integration: setup
	$(BIN)/pytest src --doctest-modules --cov --cov-report= --cov-fail-under=0
	$(BIN)/pytest tests $(UNCOUNTED:%=--ignore %) -n 2 $(PARALLEL) --cov --cov-append --cov-report=term:skip-covered
	$(BIN)/pytest $(UNCOUNTED) -n 3 $(PARALLEL)

docs: setup
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

picture: setup
	$(BIN)/python scripts/readme_picture.py docs/images/street.jpg

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup
	$(BIN)/python -m pip install --quiet uv
	scripts/lock

clean:
	rm -rf .venv docs/_build demo-output
