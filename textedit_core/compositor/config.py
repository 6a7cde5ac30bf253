"""What a compositor is built from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CompositorConfig:
    """Photo crop and decodes before and after an edit -> what the edit does to the photo, in planes of `guide` px.

    Attributes:
        guide: side in pixels at which photo and decodes are looked at, of which theirs are multiples; a multiple of 16 that leaves whole
            pixels when it is halved for every entry of `widths`.
        widths: channels at half the guides' side, a quarter and so on.
        max_flow: largest motion, as a fraction of the crop's side.
    """

    guide: int = 128
    widths: tuple[int, ...] = (32, 64, 96, 128)
    max_flow: float = 0.25


def compositor_between(photo: int, image: int) -> CompositorConfig:
    """The compositor for photos of `photo` px and decodes of `image` px, both powers of two."""
    return CompositorConfig(min(photo, image, CompositorConfig.guide))
