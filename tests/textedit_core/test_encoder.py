"""The encoder: shapes, and w_avg as the point that it starts from."""

from __future__ import annotations

import torch

from textedit_core.config import preset
from textedit_core.encoder import Encoder


def test_reference_encoder_maps_a_photo_to_w_plus() -> None:
    encoder = Encoder(preset("mobile_256").encoder).eval()
    with torch.no_grad():
        assert encoder(torch.zeros(1, 3, 256, 256)).shape == (1, 12, 256)


def test_w_avg_shifts_every_level_alike() -> None:
    torch.manual_seed(0)
    encoder = Encoder(preset("tiny").encoder).eval().requires_grad_(False)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    before, shift = encoder(image), torch.randn(16)
    encoder.w_avg.add_(shift)
    torch.testing.assert_close(encoder(image), before + shift, rtol=0, atol=1e-5)


def test_levels_differ_from_each_other_and_faces_too() -> None:
    torch.manual_seed(0)
    encoder = Encoder(preset("tiny").encoder).eval().requires_grad_(False)
    w_plus = encoder(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert not torch.allclose(w_plus[:, 0], w_plus[:, 1])
    assert not torch.allclose(w_plus[0], w_plus[1])


def test_w_avg_is_stored_with_the_weights() -> None:
    assert "w_avg" in Encoder(preset("tiny").encoder).state_dict()


def test_colours_reach_the_latent_past_the_trunk() -> None:
    torch.manual_seed(0)
    encoder = Encoder(preset("tiny").encoder).eval().requires_grad_(False)
    encoder.squeeze.weight.zero_()
    red, blue, shaded = torch.full((3, 1, 3, 32, 32), -1.0)
    red[:, 0], blue[:, 2] = 1.0, 1.0
    shaded[:, 0, ::2], shaded[:, 0, 1::2] = 0.5, 1.5  # the same mean colour as red
    assert not torch.allclose(encoder(red), encoder(blue), atol=1e-3)
    torch.testing.assert_close(encoder(red), encoder(shaded), rtol=0, atol=1e-5)
