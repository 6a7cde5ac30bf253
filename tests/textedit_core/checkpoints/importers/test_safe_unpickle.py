"""Files are read without running them: forbidden globals are named, claims beyond the file are refused, damage is told."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from textedit_core.checkpoints.importers.detect import open_source
from textedit_core.errors import UserError


class Malicious:
    """Runs a command when an ordinary pickle reader meets it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_is_refused_by_its_global_and_not_run(protocol: int, tmp_path: Path) -> None:
    path, marker = tmp_path / "bad.pkl", tmp_path / "was_run"
    path.write_bytes(pickle.dumps({"G_ema": Malicious(marker)}, protocol))
    with pytest.raises(UserError, match=r"posix\.system.*nothing was run|nt\.system"):
        open_source(path)
    assert not marker.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_torch_file_is_refused(zipped: bool, tmp_path: Path) -> None:
    path, marker = tmp_path / "bad.pt", tmp_path / "was_run"
    torch.save({"g_ema": {"a": torch.zeros(1)}, "x": Malicious(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"calls for posix\.system"):
        open_source(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"ctorch.hub\nload\n.",
        b"ctorch.serialization\nload\n.",
        b"cfunctools\npartial\n.",
        b"ccollections\nnamedtuple\n.",
    ],
)
def test_other_ways_to_code_are_refused(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(program)
    with pytest.raises(UserError, match="calls for"):
        open_source(tmp_path / "bad")


def test_a_builder_cannot_be_changed_for_later_files(tmp_path: Path) -> None:
    # BUILD on the global with attributes to set: ({}, {"_build": 7}).
    (tmp_path / "bad").write_bytes(b"\x80\x02ctorch\nSize\n}}X\x06\x00\x00\x00_buildK\x07s\x86b.")
    with pytest.raises(UserError, match="damaged"):
        open_source(tmp_path / "bad")
    torch.save({"size": torch.Size([2, 3])}, tmp_path / "good.pt")
    assert open_source(tmp_path / "good.pt").content == {"size": (2, 3)}


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"abc.",  # a byte array of a terabyte
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",  # bytes of a terabyte
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",  # a frame of a terabyte
        b"\x80\x02Nr" + struct.pack("<I", 0x7FFFFFFF) + b".",  # the memo's slot two thousand million
    ],
)
def test_claims_beyond_the_file_are_refused(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(program)
    with pytest.raises(UserError, match="cut short|claims memo slot"):
        open_source(tmp_path / "bomb")


def _rewritten(path: Path, out: Path, edit: Any, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", compression) as target:
        for info in source.infolist():
            target.writestr(info.filename, edit(info.filename, source.read(info)))
    return out


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "a.pt")
    bomb = _rewritten(tmp_path / "a.pt", tmp_path / "b.pt", lambda _, data: data, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="entries claim|compressed"):
        open_source(bomb)


def test_a_storage_that_claims_more_than_its_entry_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "a.pt")
    short = _rewritten(tmp_path / "a.pt", tmp_path / "b.pt", lambda name, data: data[:40] if name.endswith("/data/0") else data)
    with pytest.raises(UserError, match="claims 4000 bytes, but there are 40"):
        open_source(short)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_of_a_trillion_repeated_numbers_is_refused(zipped: bool, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(1 << 40)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="reaches beyond its 1 numbers"):
        open_source(tmp_path / "a.pt")


def test_shared_references_do_not_grow(tmp_path: Path) -> None:
    value: Any = [0] * 10
    for _ in range(60):
        value = [value] * 10  # 10^61 numbers if every reference were copied
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    content: Any = open_source(tmp_path / "a.pkl").content
    assert len(content) == 10 and all(item is content[0] for item in content)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").write_bytes(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    with pytest.raises(UserError, match="nested too deeply"):
        open_source(tmp_path / "deep")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_named(zipped: bool, share: float, tmp_path: Path) -> None:
    torch.save({"a": torch.randn(300), "b": torch.randn(20, 20)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="cut.pt"):
        open_source(tmp_path / "cut.pt")


def test_any_damaged_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for zipped in (True, False):
        torch.save({"a": torch.randn(3, 4), "opts": argparse.Namespace(x=1)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        whole = (tmp_path / "a.pt").read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            data[random.integers(len(data))] = random.integers(256)
            (tmp_path / "b.pt").write_bytes(data)
            try:
                open_source(tmp_path / "b.pt")
            except UserError as error:
                assert "b.pt" in str(error)


def test_a_flipped_bit_in_a_tensor_is_noticed(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1000)}, tmp_path / "a.pt")
    data = bytearray((tmp_path / "a.pt").read_bytes())
    data[data.index(np.float32(1.0).tobytes() * 10) + 5] ^= 1
    (tmp_path / "a.pt").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        open_source(tmp_path / "a.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_and_plain_values_come_through(zipped: bool, tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    value = {
        "whole": base,
        "turned": base.t(),
        "row": base[1],
        "half": base.half(),
        "brain": base.bfloat16(),
        "flags": base > 3,
        "counts": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base),
        "opts": argparse.Namespace(encoder_type="Encoder4Editing", size=32),
        "state": OrderedDict(a=1),
        "list": [1, 2.5, None, True, "x", (b"y",)],
        "dtype": torch.float16,
    }
    torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    read = open_source(tmp_path / "a.pt").content
    for key, expected in value.items():
        if isinstance(expected, torch.Tensor):
            assert read[key].dtype == expected.dtype and torch.equal(read[key], expected.detach())
    assert read["opts"] == {"encoder_type": "Encoder4Editing", "size": 32}
    assert read["state"] == {"a": 1} and read["list"] == value["list"] and read["dtype"] == "float16"


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_scripted_modules_are_read_as_records(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2))
    torch.jit.save(torch.jit.script(network), str(tmp_path / "a.pt"))
    source = open_source(tmp_path / "a.pt")
    assert source.container == "torchscript"
    assert torch.equal(source.content.state["0"].state["weight"], network[0].weight)


def test_arrays_of_objects_and_short_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Malicious(tmp_path / "was_run")], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="Python objects"):
        open_source(tmp_path / "a.npy")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 512)})
    (tmp_path / "b.npy").write_bytes(header.getvalue())
    with pytest.raises(UserError, match=r"claims 2251799813685248 bytes, but 0"):
        open_source(tmp_path / "b.npy")
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no archive", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(UserError, match="other"):
        open_source(tmp_path / "other")
    with pytest.raises(UserError, match="No such file"):
        open_source(tmp_path / "absent")
