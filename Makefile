# Needs Python 3.10 to 3.13 and make. `make bundle` exports the embedded reference model; `make test` checks everything
# but the phones' own code: `make ios` does that for ios_demo and needs Swift 6, `make android` for android_demo and needs a JDK, JUnit 4
# and npm.
PYTHON ?= python3
VENV ?= .venv
OUT ?= out

.PHONY: bundle test lint ios android clean

bundle: $(VENV)/.installed
	$(VENV)/bin/python -m export --target ios --prompts smile,child,sketch --out $(OUT)/

test: lint
	$(VENV)/bin/python -m pytest -q -rs

# fp32 spares the search for what int8 bears: the Kotlin side reads the files and runs none.
android: $(VENV)/.installed-dev
	$(VENV)/bin/python -m export --target android --prompts smile,sketch --precision fp32 --out $(OUT)/ --embed android_demo
	android_demo/check $(VENV)/android
	$(VENV)/bin/python -m benchmarks report $(VENV)/android/results/*.json --out $(VENV)/android/report

lint: $(VENV)/.installed-dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

ios:
	swift format lint --strict --configuration ios_demo/.swift-format --recursive Package.swift ios_demo
	swift build && swift test
	[ "$$(uname)" != Linux ] || ios_demo/check

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --editable '.[dev,render,plots,distributed]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) $(OUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
