"""The training speed benchmark runs on an untrained tiny model, fits its schema, and its plain loop is the published one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch

from benchmarks.plain_mapper import PlainMapper
from benchmarks.request import TrainSpeedRequest
from benchmarks.results import validate, write_results
from benchmarks.train import SCHEMA_PATH, format_table, measure
from textedit_core.checkpoints.store import Checkpoint, write_index
from textedit_core.errors import UsageError, UserError
from textedit_core.training.editor_networks import load_frozen


@pytest.fixture
def request_(tiny_checkpoint: Checkpoint) -> TrainSpeedRequest:
    """Two rounds on a tiny checkpoint with eight sample faces, the fewest that an editor is trained on."""
    folder = tiny_checkpoint.directory / "faces" / "calibration"
    for number in range(2, 8):
        shutil.copyfile(folder / "000.jpg", folder / f"{number:03d}.jpg")
    write_index(tiny_checkpoint.directory, tiny_checkpoint.config, list(tiny_checkpoint.prompts.values()), {})
    return TrainSpeedRequest(tiny_checkpoint.directory, batch=4, steps=2, warmup=0, threads=1)


def test_measurement_fits_its_schema_and_is_written(request_: TrainSpeedRequest, tmp_path: Path) -> None:
    results = measure(request_)
    assert set(results["images_per_s"]) == {"ours", "ours_float32", "plain"}
    write_results(results, tmp_path / "train.json")
    assert json.loads((tmp_path / "train.json").read_text("utf8")) == results
    table = format_table(results)
    assert "published mapper loop" in table and "2 rounds, 1 thread(s)" in table
    with pytest.raises(UserError, match="break their schema at images_per_s"):
        validate({**results, "images_per_s": {}}, SCHEMA_PATH)


def test_measuring_leaves_threads_and_checkpoint_alone(request_: TrainSpeedRequest) -> None:
    assert request_.checkpoint is not None
    before, threads = sorted(request_.checkpoint.rglob("*")), torch.get_num_threads()
    measure(request_)
    assert torch.get_num_threads() == threads
    assert sorted(request_.checkpoint.rglob("*")) == before
    assert not (request_.checkpoint.parent / "cache").exists()


def test_bad_requests_are_one_line(request_: TrainSpeedRequest) -> None:
    with pytest.raises(UsageError, match="--batch 0 is too small"):
        measure(dataclasses.replace(request_, batch=0))
    with pytest.raises(UsageError, match="unknown prompt 'smlie'"):
        measure(dataclasses.replace(request_, prompt="smlie"))


def test_plain_loop_moves_the_mapper_towards_the_text(tiny_checkpoint: Checkpoint) -> None:
    torch.manual_seed(0)
    networks = load_frozen(tiny_checkpoint, torch.device("cpu"))
    latents = torch.randn(8, 6, 16)
    loop = PlainMapper(networks, tiny_checkpoint.config.editor, "cartoon sketch", latents)
    losses = [loop.step(torch.arange(8)) for _ in range(30)]
    # The mapper's last layer starts at zero, so the first loss is the unedited face's: 1 - cos, and nothing of the other terms.
    with torch.no_grad():
        match = networks.clip.encode_image(networks.decoder(latents)) @ networks.clip.encode_text(["cartoon sketch"])[0]
    assert losses[0] == pytest.approx(1.0 - float(match.mean()), abs=2e-3)  # the judge's picture is enlarged and pooled on its way
    assert losses[-1] < losses[0]
