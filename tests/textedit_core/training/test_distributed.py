"""Two processes take the steps of one; devices and batches that cannot be are refused in one line."""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from textedit_core.errors import UsageError, UserError
from textedit_core.training.distributed import SOLO, Team, choose_device, open_team
from textedit_core.training.image_source import ImageSource
from textedit_core.training.photos import PhotoFolder

# Contrastive loss over gathered embeddings and batch norm; a game of two with augmentation; batch norm and a frozen decoder.
STAGES = ["clip", "identity", "decoder", "encoder"]
SCRIPT = Path(__file__).with_name("team_run.py")


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def runs(noise_dataset: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same stages trained by one process and by two."""
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    runpy.run_path(str(SCRIPT))["train_stages"](noise_dataset, one, STAGES)
    # accelerate's own --cpu asks for MPI; the processes choose the CPU themselves.
    flags = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", *flags, "--main_process_port", str(_free_port())]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([*launch, str(SCRIPT), str(noise_dataset), str(two), *STAGES], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return one, two


@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_train_as_one(runs: tuple[Path, Path], stage: str) -> None:
    one, two = (torch.load(out / "state" / f"{stage}.pt", weights_only=True) for out in runs)
    # The losses differ by how sums round alone.
    torch.testing.assert_close(torch.tensor(two["history"]), torch.tensor(one["history"]), rtol=1e-3, atol=1e-4)
    for player, weights in one["modules"].items():
        values = [name for name, value in weights.items() if value.is_floating_point()]
        apart = sum(float((two["modules"][player][name] - weights[name]).square().sum()) for name in values) ** 0.5
        size = sum(float(weights[name].square().sum()) for name in values) ** 0.5
        # Adam takes steps of full size where a gradient is nothing but rounding, so single weights may differ by a step of 1e-3.
        assert apart < 2e-3 * size, player


def test_one_process_of_a_team_writes(runs: tuple[Path, Path]) -> None:
    for out in runs:
        assert len(list((out / "tensorboard" / "clip").iterdir())) == 1
        assert {path.name for path in (out / "checkpoint").glob("*.safetensors")} == {
            f"{part}.safetensors" for part in ("clip", "identity", "mapping", "decoder", "encoder")
        }


def test_shares_of_a_team_make_up_the_batch() -> None:
    rows = torch.arange(12)
    assert torch.equal(torch.cat([Team(rank=rank, size=3).shard(rows) for rank in range(3)]), rows)
    assert SOLO.shard(rows) is not None and torch.equal(SOLO.gather(SOLO.shard(rows)), rows)


def test_batch_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserError, match="batch of 16 cannot be shared evenly by 3 processes; give --batch-size a multiple of 3"):
        open_team("cpu", 16)


def test_devices_are_named_or_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="--device cuda: torch finds no CUDA device.*--device cpu"):
        choose_device("cuda")
    with pytest.raises(UsageError, match="unknown device 'tpu'; the devices are: auto, cpu, cuda"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")


def test_resident_images_are_those_of_the_folder(photo_folder: Path) -> None:
    data = PhotoFolder(photo_folder, "train", 32)
    source = ImageSource(data, torch.device("cpu"))
    rows = torch.tensor([3, 0, 3])
    plain = source(rows)
    source.resident = source._copied()  # what CUDA would hold
    assert torch.equal(source(rows), plain) and torch.equal(plain, data.images(rows))
    assert len(source.first(100)) == len(data)
