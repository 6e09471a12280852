# Every target works alone from a fresh clone: it makes .venv first if pyproject.toml has changed since.
PYTHON ?= python3
ARGS ?=

KEY    := $(shell cksum pyproject.toml | cut -d' ' -f1)
STAMP  := .venv/stamp-$(KEY)
ORACLE := .venv/oracle-$(KEY)
PY     := .venv/bin/python

.PHONY: help test demo lint types course bench generate wheel oracle clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

test: $(STAMP)  ## run the tests and the doctests (ARGS="-k name" to choose)
	$(PY) -m pytest -n 2 $(ARGS)

demo: $(STAMP)  ## explain one derivative step by step, then run the demo
	.venv/bin/chainrule explain "2*x1 + 5*x2 + x3**2" --at x1=3 --at x2=4 --at x3=2
	.venv/bin/chainrule demo

lint: $(STAMP)  ## check the style (not the layout: tables are laid out by hand)
	$(PY) -m ruff check $(ARGS)

types: $(STAMP)  ## check the types
	$(PY) -m mypy $(ARGS)

course: $(STAMP)  ## run the course's notebooks and store what they show
	$(PY) tools/course.py

bench: $(STAMP)  ## run the benchmarks
	$(PY) -m benchmarks $(ARGS)

generate: $(STAMP)  ## write the generated files anew
	$(PY) tools/generate.py $(ARGS)

wheel: $(STAMP)  ## build the sdist, and the wheel from it, in dist/
	rm -rf dist
	$(PY) -m build --no-isolation

oracle: $(ORACLE)  ## add PyTorch to .venv, for the tests that compare with it

clean:  ## remove what the other targets wrote, but for .venv
	rm -rf build dist chainrule-demo .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit("chainrule needs Python 3.11 or newer; name one: make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	$(PY) -m pip install --quiet --editable '.[demo]' --group dev
	@rm -f .venv/stamp-* .venv/oracle-*
	@touch $@

$(ORACLE): $(STAMP)
	$(PY) -m pip install --quiet --group oracle
	@touch $@
