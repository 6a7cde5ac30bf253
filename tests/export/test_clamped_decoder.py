"""A StyleGAN2 that clamps its activations keeps doing so in every target's file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from export.backends import resolve_backends
from export.backends.backend import Job
from export.fold import fold
from export.graphs import DECODER, graph_spec
from export.parity import psnr_db
from tests.export.networks import stirred
from textedit_core.config import around_decoder, stylegan2
from textedit_core.decoder import build_decoder
from textedit_core.decoder.config import DecoderConfig

# Random weights of unit size make activations of about 1, so that this limit cuts many of them.
LIMIT = 0.5
CONFIG = DecoderConfig("stylegan2", 32, 16, ((4, 12), (8, 12), (16, 8), (32, 8)), clamp=LIMIT)
SPEC = graph_spec(DECODER, around_decoder("clamped", CONFIG, stylegan2(32).encoder, stylegan2(32).editor))


def _decoder(config: DecoderConfig = CONFIG) -> nn.Module:
    torch.manual_seed(0)
    return stirred(build_decoder(config))


@pytest.mark.parametrize(("target", "precision"), [("android", "fp32"), ("android", "int8"), ("ios", "fp16"), ("onnx", "fp16")])
def test_clamp_reaches_the_file(target: str, precision: str, tmp_path: Path) -> None:
    (backend,) = resolve_backends(target)
    decoder, path = _decoder(), tmp_path / f"decoder{backend.suffix}"
    latents = list(torch.randn(6, 1, CONFIG.num_ws, CONFIG.w_dim))
    graph = fold(decoder, latents[0])
    job = Job(SPEC, precision, tuple(latents))
    lowered = backend.lower(backend.quantize(backend.form(graph, job), job, ()), job, path)
    assert lowered.undelegated in (None, {})
    answer = backend.load(path, SPEC, None)(latents[0])
    with torch.no_grad():
        reference, free = (each(latents[0]) for each in (decoder, _decoder(dataclasses.replace(CONFIG, clamp=0.0))))
    assert psnr_db(reference, answer) > backend.precisions[precision].floor_db > psnr_db(free, answer)
