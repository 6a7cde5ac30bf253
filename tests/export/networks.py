"""Small random networks whose every term matters, and a checkpoint made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from export.backends.backend import Job
from export.graphs import GraphSpec, TensorSpec
from textedit_core.checkpoints.store import TEXT_EDITOR, TOKENIZER_NAME, Checkpoint, write_index, write_part
from textedit_core.config import ModelConfig, tiny
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.editor import PromptEditor, TextConditionedEditor
from textedit_core.editor.config import text_editor_config
from textedit_core.encoder import Encoder
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt

PROMPTS = ("child", "smile")
# Calibrations far apart: the vectors' lengths have to arrive.
CONDITIONED = (
    Prompt("sketch", "cartoon sketch", "photo", calibration=0.05, conditioned=True),
    Prompt("drawn", "a drawn child", "photo", calibration=1.7, conditioned=True),
    Prompt("cartoon", "cartoon child", "a photo", calibration=0.6, conditioned=True),
)


def quiet(target: str, stage: str, part: str) -> None:
    """Progress that shows nothing."""


def job(part: str, value: Tensor | Sequence[Tensor], precision: str = "fp32", batch_sizes: tuple[int, ...] = (1,)) -> Job:
    """The job of lowering a network with input `x`, calibrated on one value or on several, and output `y`."""
    values = (value,) if isinstance(value, Tensor) else tuple(value)
    spec = GraphSpec(part, TensorSpec("x", tuple(values[0].shape)), TensorSpec("y", ()))
    return Job(spec, precision, values, batch_sizes)


def stirred(module: nn.Module) -> nn.Module:
    """Gives zero-initialised parameters and batch-norm statistics values that matter, so that a lost term would show."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 0 or name.endswith("bias") or "leave" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean") or name == "w_avg":
                buffer.normal_().mul_(0.2)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return module.eval()


def small_config() -> ModelConfig:
    """The tiny preset on the smallest backbone of timm, to keep lowering short."""
    config = tiny()
    return dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, backbone="test_efficientnet"))


def write_checkpoint(directory: Path) -> Checkpoint:
    """Writes a random checkpoint with two prompts and four faces per split."""
    torch.manual_seed(0)
    config = small_config()
    write_part(directory, "encoder", stirred(Encoder(config.encoder)))
    write_part(directory, "decoder", stirred(build_decoder(config.decoder)))
    write_part(directory, "mapping", MappingNetwork(config.mapping))
    for prompt in PROMPTS:
        write_part(directory, f"editors/{prompt}", stirred(PromptEditor(config.editor)))
    rng = np.random.default_rng(0)
    for split in ("calibration", "heldout"):
        (directory / "faces" / split).mkdir(parents=True)
        for number in range(4):
            coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
            coarse.resize((64, 64), Image.Resampling.BICUBIC).save(directory / "faces" / split / f"{number}.jpg")
    prompts = [Prompt(name, f"a {name} face", "a face", {"en": name.title()}) for name in PROMPTS]
    return write_index(directory, config, prompts, {"dataset": {"world": {"licence": "CC0-1.0"}}})


def write_text_checkpoint(directory: Path, calibration: float | None = None) -> Checkpoint:
    """The same with a text-conditioned editor and three prompts that it serves; a text takes two rows, the second half full.

    Args:
        directory: folder to write.
        calibration: of all three prompts; None leaves each its own.
    """
    small = write_checkpoint(directory)
    config = dataclasses.replace(small.config, clip=dataclasses.replace(small.config.clip, embed_dim=24))
    captions = [text for prompt in CONDITIONED for text in (prompt.text, prompt.neutral_text)]
    tokenizer = PromptTokenizer.from_captions(captions, config.clip.vocab_size, config.clip.context_length)
    (directory / TOKENIZER_NAME).write_text(tokenizer.to_json(), "utf8")
    write_part(directory, "clip", ClipModel(config.clip, tokenizer))
    write_part(directory, TEXT_EDITOR, stirred(TextConditionedEditor(text_editor_config(config.editor), config.clip.embed_dim)))
    served = [prompt if calibration is None else dataclasses.replace(prompt, calibration=calibration) for prompt in CONDITIONED]
    return write_index(directory, config, [*small.prompts.values(), *served], small.provenance)
