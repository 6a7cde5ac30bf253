"""Foreign files of the benchmark are what the importers take, and an imported generator draws what the file means."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.foreign_files import ENCODER, GENERATOR, MAPPER, foreign_contents, write_foreign_files
from benchmarks.request import ForeignFilesRequest
from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import W_DIM, WIDTHS, map_z, render
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint
from textedit_core.decoder.config import DecoderConfig
from textedit_core.errors import UserError


def test_files_become_a_checkpoint_of_their_numbers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    contents = foreign_contents(DecoderConfig("stylegan2", 32, W_DIM, tuple(WIDTHS.items())))
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    files = {"decoder": tmp_path / GENERATOR, "encoder": tmp_path / ENCODER, "editors": {"change": tmp_path / MAPPER}}
    checkpoint = import_checkpoint(ImportRequest(tmp_path / "out", **files))
    state, w_plus, z = contents[GENERATOR]["g_ema"], torch.randn(1, 8, W_DIM), torch.randn(2, W_DIM)
    torch.testing.assert_close(checkpoint.load_decoder()(w_plus), render(state, w_plus), atol=1e-4, rtol=0)
    torch.testing.assert_close(checkpoint.load_mapping()(z), map_z(state, z), atol=1e-5, rtol=0)
    # Noise that is off could be lost unseen.
    assert all(float(state[key]) != 0.0 for key in state if key.endswith("noise.weight"))
    assert checkpoint.load_encoder()(torch.zeros(1, 3, 32, 32)).shape == checkpoint.load_editor("change")(w_plus).shape == (1, 8, W_DIM)
    assert checkpoint.prompts["change"].text == "a random change"


def test_unknown_resolution_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="StyleGAN2 resolution 100 is not one of"):
        write_foreign_files(ForeignFilesRequest(tmp_path, 100))
