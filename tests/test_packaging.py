"""pyproject.toml finds every package, and what the wheel must carry is in the tree."""

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


def test_every_folder_of_modules_is_found_as_a_package() -> None:
    patterns = _settings()["tool"]["setuptools"]["packages"]["find"]["include"]
    for top in (ROOT / pattern.removesuffix("*") for pattern in patterns):
        folders = {path.parent for path in top.rglob("*.py")}
        assert folders and all((folder / "__init__.py").is_file() for folder in folders)


def test_package_data_exists() -> None:
    for package, patterns in _settings()["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package).glob(pattern)), f"{package}: nothing matches {pattern}"
