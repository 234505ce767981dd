# make demo     the main job, end to end, on this machine      (EXIT=1: ends by itself)
# make down     ends a demo from another terminal
# make test     every test
# make check    lint and types only
# make compose-check  the deployment in containers, built, tried and stopped; needs a Docker engine
# make bench    the pipeline over wards of 70,000 and 1,000,000 beside the obvious way, and the hand-over (hours, 12 GB)
# make fuzz     100,000 hostile inputs against everything that reads what a contractor sends (minutes)
# make pins     resolves requirements*.in anew

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export PYTHONPATH := include:plugins

.PHONY: demo down test check compose-check bench fuzz pins venv clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

venv: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed (this is %d.%d). Name one: make PYTHON=python3.12 ..." % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements-dev.txt)"
	@echo "Installing the pinned packages ..."
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements-dev.txt \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: venv
	@$(BIN)/python -m embedded_ward.demo

down:
	@$(BIN)/python -m embedded_ward.demo down

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=include:plugins $(BIN)/mypy -p notice_cycle -p contractor_kit -p synthetic_ward -p embedded_ward -p acceptance_pack

test: venv check
	@tools/debian-packages
	$(BIN)/python -m pytest -q

compose-check: venv
	@PYTHONPATH=include:plugins:. $(BIN)/python -m deploy.compose_check

bench: venv
	$(BIN)/python -m bench.data
	$(BIN)/python -m bench.handover

fuzz: venv
	@PYTHONPATH=include:plugins:. $(BIN)/python -m bench.fuzz

pins: venv
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header -q requirements.in -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-header -q requirements-dev.in -o requirements-dev.txt

clean: down
	rm -rf var $(VENV)
