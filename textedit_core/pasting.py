"""From an edited face crop back into its photo: a warp onto the photo's pixels and a soft rim."""

from __future__ import annotations

import numpy as np
from PIL import Image

from textedit_core.alignment import CropTransform, bounds_of, clipped, resampled

# Width of the soft rim of a pasted crop, as a fraction of its side.
_FEATHER = 0.1


def paste_back(
    photo: Image.Image,
    edited_crop: Image.Image,
    transform: CropTransform,
    reconstruction: Image.Image | None = None,
) -> Image.Image:
    """Blends an edited crop into its photo with a soft rim; pixels outside the crop keep their bytes.

    Args:
        photo: RGB, the one that was cropped; left unchanged.
        edited_crop: RGB square of any side.
        transform: from `crop_face`.
        reconstruction: the unedited crop as the networks see it. If given, the photo receives the change from
            reconstruction to edit instead of the edit itself: what the networks cannot draw (background, pores,
            glasses) survives, at the price of ghosts where an edit moves things far.

    Returns:
        A new RGB photo of the same size.
    """
    box = covered_box(transform, photo.size)
    result = photo.copy()
    if box[0] >= box[2] or box[1] >= box[3]:
        return result
    pasted = warp_into(edited_crop, transform, box)
    if reconstruction is not None:
        pasted = shifted_by(result.crop(box), pasted, warp_into(reconstruction, transform, box))
    result.paste(pasted, box[:2], warp_into(feathered_mask(edited_crop.width), transform, box))
    return result


def covered_box(transform: CropTransform, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The whole pixels of a photo that a crop touches: left, top, right, bottom."""
    return clipped(bounds_of(transform, 0.0), size)


def warp_into(crop: Image.Image, transform: CropTransform, box: tuple[int, int, int, int]) -> Image.Image:
    """Resamples a crop onto the photo's pixel grid within a box; black outside the crop."""
    if transform.side < crop.width:
        reduced = max(1, round(transform.side))
        crop = crop.resize((reduced, reduced), Image.Resampling.BICUBIC)
    linear = transform.matrix[:, :2].T / transform.side**2
    offset = linear @ (np.array(box[:2], dtype=np.float64) - transform.matrix[:, 2])
    inverse = crop.width * np.column_stack([linear, offset])
    size = (box[2] - box[0], box[3] - box[1])
    return resampled(crop, size, inverse)


def feathered_mask(side: int) -> Image.Image:
    """8-bit opacity of a pasted crop: 0 at the rim, 255 from `_FEATHER` inwards, with a smooth ramp between."""
    position = (np.arange(side) + 0.5) / side
    ramp = np.clip(np.minimum(position, 1.0 - position) / _FEATHER, 0.0, 1.0)
    smooth = ramp * ramp * (3.0 - 2.0 * ramp)
    return Image.fromarray(np.round(255.0 * np.outer(smooth, smooth)).astype(np.uint8))


def shifted_by(photo: Image.Image, edited: Image.Image, reconstruction: Image.Image) -> Image.Image:
    """Returns ``photo + (edited - reconstruction)``, clamped to 0..255."""
    total = np.asarray(photo, np.int16) + np.asarray(edited, np.int16) - np.asarray(reconstruction, np.int16)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))
