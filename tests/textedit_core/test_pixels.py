"""Between images and tensors: values, layout and size."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from textedit_core.pixels import PixelSpec


def test_uint8_values_survive_the_round_trip() -> None:
    spec = PixelSpec(size=16)
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    floats = spec.from_uint8(values)
    assert floats.dtype == torch.float32
    assert (floats.min(), floats.max()) == (-1.0, 1.0)
    assert torch.equal(spec.to_uint8(floats), values)


def test_tensor_layout_is_rgb_rows_first() -> None:
    image = Image.new("RGB", (2, 2))
    image.putpixel((1, 0), (255, 0, 0))
    tensor = PixelSpec(size=2).to_tensor(image)
    assert tensor.shape == (1, 3, 2, 2)
    assert tensor[0, :, 0, 1].tolist() == [1.0, -1.0, -1.0]
    assert PixelSpec(size=2).to_image(tensor).getpixel((1, 0)) == (255, 0, 0)


def test_to_image_clamps_what_a_decoder_overshoots() -> None:
    overshoot = torch.tensor([2.0, -3.0, 0.0]).reshape(3, 1, 1)
    assert PixelSpec().to_image(overshoot).getpixel((0, 0)) == (255, 0, 128)


@pytest.mark.parametrize("image", [Image.new("L", (16, 16)), Image.new("RGB", (16, 15))])
def test_to_tensor_refuses_another_mode_or_size(image: Image.Image) -> None:
    with pytest.raises(ValueError, match="expected an RGB image of 16x16"):
        PixelSpec(size=16).to_tensor(image)
