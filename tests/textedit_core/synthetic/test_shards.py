"""Shards on disk: the same samples make the same bytes, and nothing damaged is read."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from textedit_core.errors import UserError
from textedit_core.synthetic.shards import listed, read_listed_shard, shard_bytes, unpack_shard, write_atomically

SAMPLES = [("000001", {"png": b"picture", "json": b"{}"}), ("000002", {"source.png": b"other", "json": b"[]"})]


@pytest.mark.parametrize("compress", [False, True])
def test_samples_come_back_in_their_order(compress: bool) -> None:
    data = shard_bytes(SAMPLES, compress=compress)
    assert data == shard_bytes(SAMPLES, compress=compress)
    assert list(unpack_shard(data, "a.tar").items()) == SAMPLES


def test_webdataset_reads_them(tmp_path: Path) -> None:
    import webdataset

    write_atomically(tmp_path / "a.tar", shard_bytes(SAMPLES))
    read = list(webdataset.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False))
    assert [(sample["__key__"], sample["json"]) for sample in read] == [("000001", b"{}"), ("000002", b"[]")]


def test_names_in_the_tar_are_plain_files() -> None:
    with tarfile.open(fileobj=io.BytesIO(shard_bytes(SAMPLES))) as archive:
        assert archive.getnames() == ["000001.json", "000001.png", "000002.json", "000002.source.png"]


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "shards" / "a.tar"
    write_atomically(path, shard_bytes(SAMPLES))
    entry = listed(path, 2)
    assert read_listed_shard(tmp_path, entry) == dict(SAMPLES)
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="a.tar.*damaged"):
        read_listed_shard(tmp_path, entry)


def test_what_is_no_tar_is_named() -> None:
    with pytest.raises(UserError, match="a.tar.*damaged"):
        unpack_shard(b"nothing" * 200, "a.tar")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write .*a.tar.*the same command goes on") as caught:
        write_atomically(tmp_path / "file" / "a.tar", b"x")
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_no_scratch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_atomically(tmp_path / "a.tar", b"x")
    assert list(tmp_path.iterdir()) == []
