"""Results side by side: what is joined, what is refused, and plots that show something."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.__main__ import main
from benchmarks.results import Document
from tests.benchmarks.documents import DEVICE, desktop

pytest.importorskip("matplotlib", reason="matplotlib is missing")

PNG = b"\x89PNG\r\n\x1a\n"


def written(folder: Path, **documents: Document) -> list[str]:
    """Files of these names."""
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document))
    return [str(folder / f"{name}.json") for name in documents]


def test_results_become_tables_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path, before=desktop(2.0), after=desktop(1.0))
    assert main(["report", *files, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.md")
    page = (tmp_path / "out" / "report.md").read_text("utf8")
    assert "|  | before | after |" in page
    # 64 px: two samples, 64 and 70.4 ms, of which the median is 67.2.
    assert "| 64 px | 134.40 ms (129.28 to 139.52) | 67.20 ms (64.64 to 69.76) |" in page
    assert "| one | 6.00 times | goal at least 5.00 times: met | before |" in page
    assert "| two | 2.000 MB | goal at most 1.000 MB: MISSED | after |" in page
    assert "Not measured in after: c. no compiler here" in page
    plots = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert plots == ["decoder_an_edit_ms.png", "decoder_one_image_ms.png"]
    for name in plots:
        assert f"({name})" in page
        assert (tmp_path / "out" / name).read_bytes().startswith(PNG)
        assert np.asarray(Image.open(tmp_path / "out" / name).convert("L")).std() > 5.0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    files = written(tmp_path, one=desktop(1.0))
    for name in ("a", "b"):
        assert main(["report", *files, "--out", str(tmp_path / name)]) == 0
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        ({}, r"desktop \(ours\), android \(theirs\)"),
        ({"emulated": True}, r"desktop \(ours\), emulated android \(theirs\)"),
        ({"kind": "ios"}, r"desktop \(ours\), ios \(theirs\)"),
    ],
)
def test_devices_and_desktops_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], machine: dict[str, object], found: str
) -> None:
    files = written(tmp_path, ours=desktop(1.0), theirs={**DEVICE, "machine": {**DEVICE["machine"], **machine}})
    assert main(["report", *files, "--out", str(tmp_path / "out")]) == 2
    assert re.search(f"different kinds of machines.*{found}", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_devices_are_not_mixed_with_emulators(tmp_path: Path) -> None:
    emulator = {**DEVICE, "machine": {**DEVICE["machine"], "emulated": True}}
    assert main(["report", *written(tmp_path, phone=DEVICE, emulator=emulator), "--out", str(tmp_path / "out")]) == 2
    assert main(["report", *written(tmp_path, phone=DEVICE, other=DEVICE), "--out", str(tmp_path / "out")]) == 0


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    files = [*written(tmp_path / "a", r=DEVICE), *written(tmp_path / "b", r=DEVICE)]
    assert main(["report", *files, "--out", str(tmp_path / "out")]) == 0
    assert f"| {files[0]} | {files[1]} |" in (tmp_path / "out" / "report.md").read_text("utf8")


def test_bad_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = written(tmp_path, broken={**DEVICE, "benchmark": "guesswork"})
    assert main(["report", file, "--out", str(tmp_path / "out")]) == 1
    assert "broken.json breaks result.schema.json at benchmark" in capsys.readouterr().err
    assert main(["report", file, file]) == 2
    assert "is named twice" in capsys.readouterr().err
