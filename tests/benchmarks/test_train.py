"""The training speed benchmark runs on an untrained tiny model, and its plain loop is the published one."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
import torch

from benchmarks.plain_mapper import PlainMapper
from benchmarks.request import TrainSpeedRequest
from benchmarks.train import LOOPS, OURS, PLAIN, _batches, measure
from textedit_core.checkpoints.store import Checkpoint, write_index
from textedit_core.errors import UsageError
from textedit_core.training.editor_networks import load_frozen


@pytest.fixture
def request_(tiny_checkpoint: Checkpoint) -> TrainSpeedRequest:
    """Two rounds on a tiny checkpoint with eight sample faces, the fewest that an editor is trained on."""
    folder = tiny_checkpoint.directory / "faces" / "calibration"
    for number in range(2, 8):
        shutil.copyfile(folder / "000.jpg", folder / f"{number:03d}.jpg")
    write_index(tiny_checkpoint.directory, tiny_checkpoint.config, list(tiny_checkpoint.prompts.values()), {})
    return TrainSpeedRequest(tiny_checkpoint.directory, batch=4, rounds=2, warmup=0, threads=1)


def test_every_loop_is_timed_against_the_plain_one(request_: TrainSpeedRequest) -> None:
    document = measure(request_)
    paces = {entry["id"]: entry["samples"] for entry in document["measurements"] if entry["unit"] == "images/s"}
    assert tuple(paces) == LOOPS and all(len(samples) == 2 for samples in paces.values())
    figures = {figure["id"]: figure["samples"] for figure in document["figures"]}
    assert figures[f"{OURS} over plain"] == [a / b for a, b in zip(paces[OURS], paces[PLAIN], strict=True)]
    assert document["settings"] == {"prompt": "smile", "batch": 4, "rounds": 2, "warmup": 0, "threads": 1}


def test_every_loop_sees_the_same_faces() -> None:
    drawn = _batches(100, 4)
    assert all(torch.equal(next(drawn[OURS]), next(drawn[PLAIN])) for _ in range(3))


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
