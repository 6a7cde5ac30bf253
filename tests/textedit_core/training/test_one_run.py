"""One run at a time trains into a folder: the checkpoint's index is read, grown and written back."""

from __future__ import annotations

from pathlib import Path

import pytest

from textedit_core.__main__ import main
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.file_lock import sole_writer


@pytest.mark.parametrize("stage", ["decoder", "editors"])
def test_a_second_run_is_refused_in_one_line(
    stage: str, tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tiny_checkpoint.directory.parent
    (tmp_path / "prompts.yaml").write_text("- {id: old, text: an old man, neutral_text: a man}", "utf8")
    arguments = ["train", stage, "--preset", "tiny", "--data", str(noise_dataset), "--out", str(out)]
    with sole_writer(out):
        assert main([*arguments, *(["--prompts", str(tmp_path / "prompts.yaml")] if stage == "editors" else [])]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: {str(out)!r} is being written by process ")
