"""A StyleGAN2 that clamps its activations keeps doing so in every target's file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from export import runtimes
from export.fold import fold
from export.graphs import DECODER, graph_spec
from export.lowering import coreml_backend, executorch_backend, onnx_backend, static_int8
from export.parity import psnr_db
from export.parts import reference_outputs
from export.targets import PARITY_FLOOR_DB
from tests.export.networks import stirred
from textedit_core.config import stylegan2
from textedit_core.decoder import build_decoder
from textedit_core.decoder.config import DecoderConfig

# Random weights of unit size make activations of about 1, so that this limit cuts many of them.
LIMIT = 0.5
CONFIG = DecoderConfig("stylegan2", 32, 16, ((4, 12), (8, 12), (16, 8), (32, 8)), clamp=LIMIT)
SPEC = graph_spec(DECODER, dataclasses.replace(stylegan2(32), decoder=CONFIG))


def _decoder(config: DecoderConfig = CONFIG) -> nn.Module:
    torch.manual_seed(0)
    return stirred(build_decoder(config))


@pytest.mark.parametrize(("target", "precision"), [("android", "fp32"), ("android", "int8"), ("ios", "fp16"), ("onnx", "fp16")])
def test_clamp_reaches_the_file(target: str, precision: str, tmp_path: Path) -> None:
    decoder, path = _decoder(), tmp_path / f"decoder.{'mlpackage' if target == 'ios' else 'bin'}"
    latents = list(torch.randn(6, 1, CONFIG.num_ws, CONFIG.w_dim))
    graph = fold(decoder, latents[0])
    if target == "android":
        graph = graph if precision == "fp32" else static_int8.quantize(graph, latents)
        assert executorch_backend.lower(graph, latents[0], path, DECODER).undelegated == {}
    elif target == "ios":
        coreml_backend.lower(graph, latents[0], SPEC, precision, path)
    else:
        onnx_backend.lower(graph, SPEC, precision, latents, path)
    answer = runtimes.load(target, path, SPEC)(latents[0])
    (reference,), (free,) = (reference_outputs(each, (latents[0],)) for each in (decoder, _decoder(dataclasses.replace(CONFIG, clamp=0.0))))
    assert psnr_db(reference, answer) > PARITY_FLOOR_DB[precision] > psnr_db(free, answer)
