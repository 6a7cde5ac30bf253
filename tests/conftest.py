"""Shared fixtures: the asset tree, a tiny dataset of noise, a tiny checkpoint; and the option that turns skips into a failure."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.checkpoints.store import TOKENIZER_NAME, Checkpoint, write_index, write_part
from textedit_core.config import tiny
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.editor import PromptEditor
from textedit_core.encoder import Encoder
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.face_identity import IdentityNet
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt
from textedit_core.synthetic.shards import SHARD_FOLDER, listed, shard_bytes, write_atomically
from textedit_core.synthetic.splits import SPLITS, split_of

# Of 20 people, number 18 is for validation and number 19 for the test.
NOISE_PEOPLE = (0, 1, 2, 3, 18, 38, 19, 39)
REPOSITORY = Path(__file__).resolve().parent.parent
# What no package manager can supply: hardware, and the face assets, which are data from elsewhere.
EXCUSED_SKIPS = ("asset", "gpu", "cuda")
CAPTIONS = ("a girl with smile face", "a girl with neutral face", "a female child", "a female adult", "cartoon sketch", "photo")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="fail when a test was skipped for something that can be installed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.getoption("--fail-on-skip"):
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    reasons = sorted({str(report.longrepr[-1]) for report in terminal.stats.get("skipped", [])})
    unexcused = [reason for reason in reasons if not any(word in reason.lower() for word in EXCUSED_SKIPS)]
    for reason in unexcused:
        terminal.write_line(f"not allowed to be skipped here: {reason}", red=True)
    if unexcused and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def asset_tree() -> Path:
    """The CC0 face assets named by TEXTEDIT_ASSETS, or those beside the checkout."""
    path = Path(os.environ.get("TEXTEDIT_ASSETS", REPOSITORY.parent / "shared" / "makehuman"))
    if not path.is_dir():
        pytest.skip(f"no asset tree at {path}; docs/faces.md says how to make one, TEXTEDIT_ASSETS names it")
    return path


@pytest.fixture(scope="session")
def noise_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder as `render` writes it: 32 noise images of 32 px, 8 people (4 train, 2 validate, 2 test), every fourth a sketch."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    samples: dict[str, list[tuple[str, dict[str, bytes]]]] = {split: [] for split in SPLITS}
    for number in range(32):
        identity = NOISE_PEOPLE[number // 4]
        samples[split_of(identity)].append((f"{number:06d}", _noise_face(number, identity, rng)))
    entries = []
    for split, of_split in samples.items():
        path = folder / SHARD_FOLDER / f"{split}-00000.tar"
        write_atomically(path, shard_bytes(of_split))
        entries.append({**listed(path, len(of_split)), "split": split})
    index = {
        "format_version": 2,
        "complete": True,
        "count": 32,
        "resolution": 32,
        "scene_code_names": [f"code_{i}" for i in range(5)],
        "seed": 0,
        "splits": {"train": 16, "validation": 8, "test": 8},
        "world": {},
        "shards": entries,
    }
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder


def noise_attributes(style: str) -> dict[str, float | str]:
    """What `synthetic.attributes.attributes` would say of a face without expression."""
    values: dict[str, float | str] = dict.fromkeys(("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed"), 0.0)
    values |= {"age_years": 30.0, "male": 0.0, "glasses": 0.0, "hair_color": "brown", "melanin": 0.2, "yaw": 0.0, "pitch": 0.0}
    return {**values, "style": style}


def _noise_face(number: int, identity: int, rng: np.random.Generator) -> dict[str, bytes]:
    stream = BytesIO()
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(stream, "PNG")
    style = "sketch" if number % 4 == 3 else "photo"
    sidecar = {
        "identity": identity,
        "split": split_of(identity),
        "style": style,
        "attributes": noise_attributes(style),
        "scene_code": rng.uniform(-1, 1, 5).round(4).tolist(),
        "captions": [CAPTIONS[number % 6], CAPTIONS[(number + 1) % 6]],
        "landmarks": [[12.0, 15.0], [20.0, 15.0], [16.0, 19.0], [13.0, 24.0], [19.0, 24.0]],
        "parameters": {},
        "sha256": hashlib.sha256(stream.getvalue()).hexdigest(),
    }
    return {"png": stream.getvalue(), "json": json.dumps(sidecar).encode()}


def write_tiny_checkpoint(directory: Path) -> Checkpoint:
    """Writes an untrained checkpoint of the tiny preset with all its parts, two prompts and two sample faces per split."""
    torch.manual_seed(0)
    config = tiny()
    tokenizer = PromptTokenizer.from_captions(list(CAPTIONS), config.clip.vocab_size, config.clip.context_length)
    parts = {
        "encoder": Encoder(config.encoder),
        "decoder": build_decoder(config.decoder),
        "mapping": MappingNetwork(config.mapping),
        "editors/smile": PromptEditor(config.editor),
        "editors/child": PromptEditor(config.editor),
        "clip": ClipModel(config.clip, tokenizer),
        "identity": IdentityNet(config.identity),
    }
    for name, module in parts.items():
        write_part(directory, name, module)
    (directory / TOKENIZER_NAME).write_text(tokenizer.to_json(), "utf8")
    rng = np.random.default_rng(0)
    for split in ("calibration", "heldout"):
        (directory / "faces" / split).mkdir(parents=True)
        for number in range(2):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
            image.save(directory / "faces" / split / f"{number:03d}.jpg")
    prompts = [Prompt("smile", "a girl with smile face", "a girl with neutral face", {"en": "Smile"}), Prompt("child", "a female child")]
    return write_index(directory, config, prompts, {"licence": "CC0-1.0"})


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Checkpoint:
    """A fresh untrained checkpoint of the tiny preset that the test may damage."""
    return write_tiny_checkpoint(tmp_path / "checkpoint")


@pytest.fixture(scope="session")
def tiny_checkpoint_factory() -> Callable[[Path], Checkpoint]:
    """Writes such a checkpoint into any folder, for fixtures that outlive a test."""
    return write_tiny_checkpoint
