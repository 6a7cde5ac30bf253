"""Pixels: what an image tensor means, and the only conversions between images and tensors in Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# Shares of red, green and blue in the luminance of sRGB-encoded values (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class PixelSpec:
    """The pixel contract of a network: NCHW float32 in [minimum, maximum], RGB, sRGB-encoded, square of side `size`."""

    size: int = 256
    minimum: float = -1.0
    maximum: float = 1.0
    channel_order: str = "RGB"
    color_space: str = "sRGB"
    layout: str = "NCHW"

    def from_uint8(self, images: Tensor) -> Tensor:
        """Maps uint8 [B,3,H,W] in 0..255 to float32 of the same shape in [minimum, maximum]."""
        return images.float() * ((self.maximum - self.minimum) / 255.0) + self.minimum

    def to_uint8(self, images: Tensor) -> Tensor:
        """Maps float [B,3,H,W] to uint8 of the same shape; values outside the range are clamped, the rest rounded."""
        unit = (images.detach().float() - self.minimum) / (self.maximum - self.minimum)
        return (unit.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)

    def to_tensor(self, image: Image.Image) -> Tensor:
        """Converts an RGB image of exactly size x size to float32 [1,3,S,S].

        Raises:
            ValueError: the image is not RGB or not of this size (alignment.crop_face makes one).
        """
        if image.mode != "RGB" or image.size != (self.size, self.size):
            raise ValueError(f"expected an RGB image of {self.size}x{self.size}, got {image.mode} {image.size}")
        array = torch.from_numpy(np.array(image, dtype=np.uint8))
        return self.from_uint8(array.permute(2, 0, 1).unsqueeze(0))

    def to_image(self, image: Tensor) -> Image.Image:
        """Converts one float image [1,3,R,R] or [3,R,R] to an RGB Pillow image of any side R."""
        single = image.reshape(1, *image.shape[-3:])
        return Image.fromarray(self.to_uint8(single)[0].permute(1, 2, 0).cpu().numpy(), "RGB")

