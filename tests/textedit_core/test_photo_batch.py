"""Many photos in one command: what is written, skipped and said, and what is refused before any work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from textedit_core.__main__ import main
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.photo_batch import listed

PROMPTS = "smile,child"


def _photos(folder: Path) -> Path:
    folder.mkdir()
    Image.new("RGB", (40, 30), (200, 120, 90)).save(folder / "a.jpg")
    Image.new("L", (30, 40), 90).save(folder / "b.png")
    (folder / "broken.jpg").write_text("no picture")
    (folder / "notes.txt").write_text("no photo")
    (folder / "._a.jpg").write_text("another system's data")
    return folder


def _edit(checkpoint: Checkpoint, *arguments: object) -> int:
    return main(["edit", *map(str, arguments), "--checkpoint", str(checkpoint.directory)])


def _report(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_a_broken_photo_costs_one_line(tmp_path: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out" / "new"
    assert _edit(tiny_checkpoint, _photos(tmp_path / "in"), "--prompt", "smile", "--out", out) == 1
    said = capsys.readouterr()
    assert said.out == "wrote 2, 1 failed\n"
    assert said.err.count("failed: ") == 1 and "broken.jpg" in said.err
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == ["a.jpg", "b.png"]
    with Image.open(out / "b.png") as written:
        assert written.mode == "L"


def test_a_second_run_does_what_is_not_done(tmp_path: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = _photos(tmp_path / "in"), tmp_path / "out"
    (photos / "broken.jpg").unlink()
    command = (photos, "--prompts", PROMPTS, "--out", out, "--json")
    assert _edit(tiny_checkpoint, *command) == 0
    names = {"a_smile.jpg", "a_child.jpg", "b_smile.png", "b_child.png"}
    assert {Path(path).name for path in _report(capsys)["wrote"]} == names
    # Another photo, a result that was touched, and a journal whose last line was cut off.
    Image.new("RGB", (40, 30), (10, 20, 30)).save(photos / "a.jpg")
    (out / "b_smile.png").write_bytes(b"touched")
    with (out / ".textedit-edits.jsonl").open("a") as journal:
        journal.write('{"name": "b_ch')
    assert _edit(tiny_checkpoint, *command) == 0
    report = _report(capsys)
    assert {Path(path).name for path in report["wrote"]} == {"a_smile.jpg", "a_child.jpg", "b_smile.png"}
    assert [Path(path).name for path in report["skipped"]] == ["b_child.png"]
    assert _edit(tiny_checkpoint, *command) == 0
    assert len(_report(capsys)["skipped"]) == 4
    assert _edit(tiny_checkpoint, *command, "--strength", "0.5") == 0
    assert len(_report(capsys)["wrote"]) == 4


def test_the_sheet_has_a_row_per_photo_and_a_column_per_prompt(tmp_path: Path, tiny_checkpoint: Checkpoint) -> None:
    photos, sheet = _photos(tmp_path / "in"), tmp_path / "sheet.png"
    assert _edit(tiny_checkpoint, photos / "a.jpg", photos / "b.png", "--prompts", PROMPTS, "--sheet", sheet) == 0
    with Image.open(sheet) as drawn:
        # Three squares of 256 pixels; a strip of 24 above them and one under each row.
        assert drawn.size == (3 * 256, 24 + 2 * (256 + 24))
        assert drawn.getpixel((128, 24 + 128)) == pytest.approx((200, 120, 90), abs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "in", "sheet.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in", "--prompt", "smile", "--out", "in"), "is one of the photos; give --out another folder"),
        (("in", "other/a.jpg", "--prompt", "smile", "--out", "out"), "would both become"),
        (("in", "--prompt", "smile", "--out", "out", "--landmarks", "1,1 2,1 2,2 1,3 2,3"), "landmarks are those of one photo"),
        (("in", "--prompts", "smile,smlie", "--out", "out"), "unknown prompt 'smlie'"),
        (("in", "--prompt", "smile", "--out", "file"), "it is a file; several results need a folder"),
        (("in", "--prompt", "smile"), "nothing to write; give --out, --sheet or both"),
        (("in", "gone.jpg", "--prompt", "smile", "--out", "out"), "'gone.jpg' does not exist"),
        (("in", "--prompt", "smile", "--sheet", "sheet.xyz"), "end the name in"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    tmp_path: Path,
    tiny_checkpoint: Checkpoint,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _photos(tmp_path / "in")
    _photos(tmp_path / "other")
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert _edit(tiny_checkpoint, *arguments) != 0
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_photo_is_listed_once(tmp_path: Path) -> None:
    folder = _photos(tmp_path / "in")
    assert [path.name for path in listed([folder / "b.png", folder, folder / "a.jpg"])] == ["b.png", "a.jpg", "broken.jpg"]
