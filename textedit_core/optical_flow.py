"""Optical flow between two photographs of one face, found in the pictures alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textedit_core.errors import UserError
from textedit_core.pixels import LUMA

# In pixels: what is evened out in the pictures and in the motion, and half the window that moves as one.
_SOFTENING, _SMOOTHING, _RADIUS = 1.0, 3.0, 9


def tone(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luminance [H,W] float32, 0 to 255, of a picture [H,W,3], as optical flow looks at it: softened a little."""
    softened: NDArray[np.float32] = ndimage.gaussian_filter(picture.astype(np.float32) @ np.array(LUMA, np.float32), _SOFTENING)
    return softened


def optical_flow(here: NDArray[np.uint8], there: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Motion [H,W,2] in pixels, x right and y down: what is at p in `here` is at p + motion in `there`, both uint8 [H,W,3].

    The iterated Lucas-Kanade of scikit-image (Le Besnerais and Champagnat 2005), smoothed.

    Raises:
        UserError: scikit-image is missing.
    """
    try:
        from skimage.registration import optical_flow_ilk
    except ImportError:
        raise UserError("optical flow needs scikit-image; pip install 'textedit[render]'") from None
    planes = optical_flow_ilk(tone(here), tone(there), radius=_RADIUS)
    down, across = (ndimage.gaussian_filter(plane, _SMOOTHING) for plane in planes)
    return np.ascontiguousarray(np.stack([across, down], -1), np.float32)
