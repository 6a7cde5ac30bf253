"""What drawing a scene gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Rendering:
    """One drawn scene.

    Attributes:
        photo: [S, S, 3] uint8 sRGB.
        depth: [S, S] float32 distance from the camera; the background is infinite.
        landmarks: [5, 2] pixels, origin top left.
    """

    photo: Image8
    depth: NDArray[np.float32]
    landmarks: NDArray[np.float64]
