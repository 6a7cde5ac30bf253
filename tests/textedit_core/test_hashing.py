"""SHA-256 of bytes and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of, sha256_of_file

# FIPS 180-4's example: the digest of the three letters abc.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_published_digest(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(b"abc") == sha256_of_file(tmp_path / "abc") == ABC


def test_a_file_longer_than_a_block(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "long").write_bytes(data)
    assert sha256_of_file(tmp_path / "long") == sha256_of(data)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read .*gone': No such file"):
        sha256_of_file(tmp_path / "gone")
