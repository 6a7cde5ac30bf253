"""What a compositor is built from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CompositorConfig:
    """Photo crop and decodes before and after an edit -> what the edit does to the photo, in planes of `guide` px.

    Attributes:
        photo: side in pixels of the photo crop, that of the encoder's photos; a multiple of `guide`.
        image: side in pixels of the decodes; a multiple of `guide`.
        guide: side in pixels at which photo and decodes are looked at; a multiple of 16.
        widths: channels at half the guides' side, a quarter and so on, down to an eighth of it at least.
        max_flow: largest motion, as a fraction of the crop's side.
    """

    photo: int = 256
    image: int = 256
    guide: int = 128
    widths: tuple[int, ...] = (32, 64, 96, 128)
    max_flow: float = 0.25


def compositor_between(photo: int, image: int) -> CompositorConfig:
    """The compositor for photos of `photo` px and decodes of `image` px, both powers of two."""
    return CompositorConfig(photo, image, min(photo, image, CompositorConfig.guide))
