"""pyproject.toml lists every package, and what the wheel must carry is in the tree."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _settings() -> dict:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))


def test_every_package_is_listed() -> None:
    tops = ("textedit_core", "export", "benchmarks")
    found = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for top in tops for path in (ROOT / top).rglob("__init__.py")}
    assert set(_settings()["tool"]["setuptools"]["packages"]) == found


def test_package_data_exists() -> None:
    for package, patterns in _settings()["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package).glob(pattern)), f"{package}: nothing matches {pattern}"
