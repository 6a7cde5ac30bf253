"""A prompt that the text-conditioned editor serves is exported like any other: its text is filled in beforehand."""

from __future__ import annotations

from pathlib import Path

import torch

from export.bundle import open_bundle
from export.pipeline import ExportRequest, export, plan
from export.verification import load_part, verify
from tests.export.networks import quiet, stirred, write_checkpoint
from textedit_core.checkpoints.store import TEXT_EDITOR, TOKENIZER_NAME, Checkpoint, write_index, write_part
from textedit_core.config import Prompt, text_editor_config
from textedit_core.editor import TextConditionedEditor
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.tokenizer import PromptTokenizer

SKETCH = Prompt("sketch", "cartoon sketch", "photo", calibration=0.5, conditioned=True)


def _checkpoint(directory: Path) -> Checkpoint:
    config = write_checkpoint(directory).config
    tokenizer = PromptTokenizer.from_captions([SKETCH.text, SKETCH.neutral_text], config.clip.vocab_size, config.clip.context_length)
    (directory / TOKENIZER_NAME).write_text(tokenizer.to_json(), "utf8")
    write_part(directory, "clip", ClipModel(config.clip, tokenizer))
    editor = TextConditionedEditor(text_editor_config(config.editor), config.clip.embed_dim)
    write_part(directory, TEXT_EDITOR, stirred(editor))
    return write_index(directory, config, [SKETCH], {})


def test_conditioned_prompt_is_exported_with_its_text_filled_in(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "checkpoint")
    request = ExportRequest("onnx", ("sketch",), checkpoint.directory, out=tmp_path, parity_faces=2, calibration_faces=2)
    _, (planned,) = plan(request)
    assert planned.estimates["editors/sketch"] > 0
    ((path, manifest),) = export(request, quiet)
    assert manifest.part("editors/sketch").parity.psnr_db > 60  # fp16 weights, fp32 arithmetic
    w_plus = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    expected = checkpoint.load_text_editor()(w_plus, checkpoint.text_vector("sketch")[None])
    verify(path)
    with open_bundle(path) as opened:
        delta_w = load_part(opened, "editors/sketch")(w_plus)
    assert torch.allclose(delta_w, expected, atol=1e-2 * float(expected.abs().max()))
