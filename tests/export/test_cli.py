"""The command line: names, exit statuses, speed of --help, and the plan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from export.__main__ import main
from export.backends import coreml, target_names, xnnpack
from export.plan import estimated_bytes
from tests.export.networks import write_checkpoint
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.errors import UserError

SDKS = ("torch", "executorch", "coremltools", "onnx", "onnxruntime", "timm", "numpy")


def failure(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and the one line on stderr."""
    status = main(arguments)
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    return status, line


def test_help_imports_no_sdk(repository: Path) -> None:
    listing = f"print([m for m in {SDKS!r} if m in sys.modules])"
    code = f"import sys\nfrom export.__main__ import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    {listing}"
    result = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for target in target_names():
        assert target in result.stdout


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--target", "symbian"], "error: unknown target 'symbian'; the targets are: all, android, ios, onnx"),
        (
            ["--target", "ios", "--precision", "int4"],
            "error: unknown precision 'int4'; target ios accepts: fp16, fp32, int8w, palette8, palette6, palette4, w8a8",
        ),
        (["--target", "ios", "--prompts", "smlie"], "error: unknown prompt 'smlie'; this checkpoint has: child, smile"),
        (["--target", "ios", "--parity-faces", "0"], "error: --parity-faces 0 measures nothing; give 1 or more"),
    ],
)
def test_unknown_names_exit_2(flags: list[str], line: str, checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert failure([*flags, "--checkpoint", str(checkpoint.directory)], capsys) == (2, line)


def test_missing_things_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, line = failure(["--target", "ios", "--checkpoint", str(tmp_path)], capsys)
    assert status == 1 and str(tmp_path) in line
    status, line = failure(["inspect", str(tmp_path / "no.textedit")], capsys)
    assert status == 1 and "no.textedit" in line


def test_missing_target_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2 and "--target" in capsys.readouterr().err


def test_estimates_count_weights_however_they_are_stored(tmp_path: Path) -> None:
    half = write_checkpoint(tmp_path / "checkpoint")
    decoder = half.load_decoder()
    write_part(half.directory, "decoder", decoder, torch.float32)
    single = write_index(half.directory, half.config, list(half.prompts.values()), {})
    # One byte per number.
    expected = sum(tensor.numel() for tensor in decoder.state_dict().values())
    int8, fp16 = xnnpack.BACKEND.precisions["int8"], coreml.BACKEND.precisions["fp16"]
    assert estimated_bytes(single, "decoder", int8) == expected == estimated_bytes(single, "decoder", fp16) / 2


def test_checkpoint_that_lacks_a_network_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_checkpoint(tmp_path / "checkpoint")
    (whole.directory / "encoder.safetensors").unlink()
    write_index(whole.directory, whole.config, list(whole.prompts.values()), {})
    status, line = failure(["--target", "onnx", "--checkpoint", str(whole.directory), "--dry-run"], capsys)
    assert status == UserError.exit_code
    assert "has no encoder.safetensors, which a bundle holds; train or import it first" in line


def test_dry_run_plans_and_writes_nothing(checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        "--target",
        "all",
        "--prompts",
        "smile,smile",
        "--checkpoint",
        str(checkpoint.directory),
        "--out",
        str(tmp_path),
        "--dry-run",
        "--json",
    ]
    assert main(flags) == 0
    plans = json.loads(capsys.readouterr().out)["plan"]
    assert [plan["target"] for plan in plans] == target_names()
    assert [part["part"] for part in plans[0]["parts"]] == ["encoder", "editors/smile", "decoder"]
    assert list(tmp_path.iterdir()) == []
