# Needs Python 3.10 to 3.13 and make. `make bundle` exports the embedded reference model; `make test` checks everything
# but the phones' own code: `make ios` does that for ios_demo and needs Swift 6.
PYTHON ?= python3
VENV ?= .venv
OUT ?= out

.PHONY: bundle test lint ios clean

bundle: $(VENV)/.installed
	$(VENV)/bin/python -m export --target ios --prompts smile,child,sketch --out $(OUT)/

test: lint
	$(VENV)/bin/python -m pytest -q -rs

lint: $(VENV)/.installed-dev
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

ios:
	cd ios_demo && swift format lint --strict --recursive EditorKit/Package.swift EditorKit/Sources EditorKit/Tests GalleryDemo
	cd ios_demo/GalleryDemo/App && swiftc -frontend -parse *.swift
	cd ios_demo/EditorKit && swift build && swift test

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
