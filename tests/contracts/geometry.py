"""Vectors of what happens to pixels and latents: crop, paste, conversion, strength, as this version of the Python packages does it."""

from __future__ import annotations

import base64
import dataclasses
import math
from typing import Any

import numpy as np
import torch
from PIL import Image

from export.manifest import PromptEntry
from textedit_core.alignment import FFHQ_CROP, REFERENCE_CROP, CropRule, CropTransform, crop_face
from textedit_core.compositor import guides_of
from textedit_core.compositor.composition import compose, overlay
from textedit_core.editor import with_text
from textedit_core.errors import TexteditError
from textedit_core.face_editor import checked_strength
from textedit_core.latents import apply_edit
from textedit_core.pasting import feathered_mask, paste_back
from textedit_core.pixels import PixelSpec

# Eyes 40 apart, the mouth 40 below them.
FACE = np.array([[80.0, 90.0], [120.0, 90.0], [100.0, 110.0], [88.0, 130.0], [112.0, 130.0]])


def _turned(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (FACE - (150, 150)) @ np.array([[c, s], [-s, c]]) + (150, 150)


def _noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def _encoded(image: Image.Image) -> dict[str, Any]:
    """Interleaved RGB bytes, row by row from the top."""
    return {"width": image.width, "height": image.height, "rgb": base64.b64encode(image.tobytes()).decode()}


def _mirrored() -> np.ndarray:
    return FACE[[1, 0, 2, 4, 3]]


def crop_transforms() -> dict[str, Any]:
    """Five landmarks to the similarity of the crop, or why not."""
    wide = CropRule(margin=2.0)
    cases: list[tuple[str, np.ndarray | None, tuple[int, int], CropRule, str | None]] = [
        ("upright", FACE, (300, 300), FFHQ_CROP, None),
        ("the rule of the reference model", FACE, (300, 300), REFERENCE_CROP, None),
        ("head turned by 30 degrees", _turned(30), (300, 300), FFHQ_CROP, None),
        ("head upside down", _turned(180), (300, 300), REFERENCE_CROP, None),
        ("profile: the mouth decides on the size", FACE * (0.5, 1.0) + (50, 0), (300, 300), FFHQ_CROP, None),
        ("tilted mouth", FACE + [(0, 0), (0, 0), (0, 0), (0.0, 6.5), (3.25, -4.0)], (300, 300), FFHQ_CROP, None),
        ("crop beyond the photo", FACE - (60, 70), (100, 90), REFERENCE_CROP, None),
        ("landmark on the edge of the photo", FACE, (120, 130), REFERENCE_CROP, None),
        ("no face: the central square", None, (301, 200), REFERENCE_CROP, None),
        ("no face in a tall photo", None, (200, 333), FFHQ_CROP, None),
        ("outside the photo", FACE, (119, 300), REFERENCE_CROP, "lies outside the photo"),
        ("eyes exchanged", _mirrored(), (300, 300), REFERENCE_CROP, "swapped"),
        ("all points in one place", np.full((5, 2), 50.0), (300, 300), REFERENCE_CROP, "coincide"),
        ("crop far larger than the photo", FACE - (75, 85), (60, 60), wide, "ask for a crop"),
        ("not a number", np.where(FACE == 110.0, np.nan, FACE), (300, 300), REFERENCE_CROP, "lies outside the photo"),
    ]
    return {"tolerance_px": 1e-9, "cases": [_transform_case(*case) for case in cases]}


def _transform_case(name: str, points: np.ndarray | None, size: tuple[int, int], rule: CropRule, refused: str | None) -> dict[str, Any]:
    # JSON has no NaN, so that a coordinate which is none is null.
    landmarks = None if points is None else [[None if math.isnan(x) else x for x in point] for point in points.tolist()]
    case = {"name": name, "photo": list(size), "rule": dataclasses.asdict(rule), "landmarks": landmarks, "refused": refused}
    try:
        _, transform = crop_face(Image.new("RGB", size), points, 8, rule)
    except TexteditError as error:
        assert refused is not None and refused in str(error), (name, error)
        return {**case, "transform": None}
    assert refused is None, name
    return {**case, "transform": {"origin": list(map(float, transform.origin)), "axis": list(map(float, transform.axis))}}


def crops() -> dict[str, Any]:
    """Pixels of a crop: shrunk, enlarged, turned, and mirrored where it leaves the photo."""
    photo = _noise(40, 30, seed=1)
    face = (FACE - (80, 90)) / 5 + (14, 8)
    cases = {
        "shrunk and turned": (face + [(0, 0), (0, 2), (0, 1), (-1, 0), (-1, 2)], 8),
        "enlarged": (face, 24),
        "beyond two edges of the photo": (face - (12, 7), 12),
        "far beyond all edges": (face * 1.8 - (8, 0), 10),
        "central square": (None, 16),
    }
    made = []
    for name, (points, size) in cases.items():
        crop, _ = crop_face(photo, points, size, REFERENCE_CROP)
        landmarks = None if points is None else np.asarray(points).tolist()
        made.append({"name": name, "landmarks": landmarks, "size": size, "crop": _encoded(crop)})
    return {"tolerance_levels": 1, "photo": _encoded(photo), "rule": dataclasses.asdict(REFERENCE_CROP), "cases": made}


def pastes() -> dict[str, Any]:
    """The soft mask, and photos with a crop blended back into them."""
    photo, edited, unedited = _noise(28, 24, seed=2), _noise(16, 16, seed=3), _noise(16, 16, seed=4)
    # No pixel's centre lies on the border of a crop, where rounding alone decides whether it is inside.
    transforms = {
        "enlarged": CropTransform((3.3, 1.6), (20.0, 0.0)),
        "shrunk": CropTransform((5.0, 6.0), (11.0, 0.0)),
        "turned and across the corner": CropTransform((18.0, -4.0), (12.0, 9.0)),
        "outside": CropTransform((40.0, 40.0), (10.0, 0.0)),
    }
    cases = []
    for name, transform in transforms.items():
        for reconstruction in (None, unedited):
            result = paste_back(photo, edited, transform, reconstruction)
            place = {"origin": list(transform.origin), "axis": list(transform.axis)}
            added = reconstruction is not None
            cases.append({"name": name, "transform": place, "adds_the_change_only": added, "result": _encoded(result)})
    masks = {str(side): np.asarray(feathered_mask(side)).ravel().tolist() for side in (1, 7, 16)}
    images = {"photo": _encoded(photo), "edited": _encoded(edited), "reconstruction": _encoded(unedited)}
    return {"tolerance_levels": 1, "masks": masks, **images, "cases": cases}


def compositions() -> dict[str, Any]:
    """Photos with an edit drawn on them, and what the compositor looks at."""
    photo, crop, before, after = (_noise(*size, seed=seed) for size, seed in (((40, 36), 6), ((16, 16), 7), ((16, 16), 8), ((16, 16), 9)))
    pixels, guide = PixelSpec(size=16), 8
    fields = _drawn_fields(guide)
    transforms = {
        "enlarged": CropTransform((3.3, 1.6), (32.0, 0.0)),
        "shrunk": CropTransform((5.0, 6.0), (11.0, 0.0)),
        "turned and across the corner": CropTransform((28.0, -4.0), (12.0, 9.0)),
        "outside": CropTransform((60.0, 60.0), (10.0, 0.0)),
    }
    cases = []
    for name, transform in transforms.items():
        for kind, planes in (("drawn", fields), ("moved alone", fields * torch.tensor([1, 1, 0, 1, 1, 1, 1, 1]).view(1, 8, 1, 1))):
            result = compose(photo, overlay(planes, pixels.to_tensor(after), crop), transform)
            place = {"origin": list(transform.origin), "axis": list(transform.axis)}
            cases.append({"name": f"{name}, {kind}", "transform": place, "fields": _floats(planes), "result": _encoded(result)})
    guides = guides_of(*(pixels.to_tensor(each) for each in (crop, before, after)), guide)
    images = {"photo": _encoded(photo), "crop": _encoded(crop), "before": _encoded(before), "after": _encoded(after)}
    return {"tolerance_levels": 1, "guide_side": guide, "guides": _floats(guides), "guides_tolerance": 1e-6, **images, "cases": cases}


def _drawn_fields(side: int) -> torch.Tensor:
    """Fields [1,8,M,M] that leave the left columns alone and move and paint the rest."""
    rng = np.random.default_rng(10)
    planes = torch.from_numpy(rng.random((1, 8, side, side), np.float32))
    planes[:, :2] = planes[:, :2] * 2.0 - 1.0
    planes[:, 3] *= 2.0
    planes[:, 5:] = planes[:, 5:] * 2.0 - 1.0
    planes[:, :3, :, :3] = 0.0
    return planes


def _floats(values: torch.Tensor) -> str:
    """Little-endian float32 in C order, in base64."""
    return base64.b64encode(values.contiguous().numpy().astype("<f4").tobytes()).decode()


def conversions() -> dict[str, Any]:
    """Bytes to numbers and back, per range."""
    cases = []
    for low, high in ((-1.0, 1.0), (0.0, 1.0), (-2.5, 1.75)):
        spec = PixelSpec(size=2, minimum=low, maximum=high)
        levels = torch.arange(256, dtype=torch.uint8)
        # Halfway between two levels, a little beside it, beyond both ends, and infinite.
        given = [low + (high - low) * (level + 0.5) / 255 for level in (0, 1, 2, 127, 128, 254)] + [low - 1, high + 1, 3e38, -3e38]
        numbers = torch.tensor(given + [(low + high) / 2 + offset for offset in (-1e-3, 1e-3, 0.0)])
        interleaved = list(range(0, 240, 20))
        image = Image.frombytes("RGB", (2, 2), bytes(interleaved))
        cases.append(
            {
                "minimum": low,
                "maximum": high,
                "values_of_all_bytes": spec.from_uint8(levels).tolist(),
                "numbers": numbers.tolist(),
                "bytes_of_numbers": spec.to_uint8(numbers).tolist(),
                "image": {"side": 2, "interleaved": interleaved, "planar": spec.to_tensor(image).ravel().tolist()},
            }
        )
    return {"tolerance": 0.0, "cases": cases}


def edits() -> dict[str, Any]:
    """w_plus + strength * delta_w, the range of a strength, and a text below w_plus."""
    rng = np.random.default_rng(5)
    w_plus, delta_w = (torch.from_numpy(rng.normal(size=(1, 2, 3)).astype(np.float32)) for _ in range(2))
    text = torch.from_numpy(rng.normal(size=(1, 3)).astype(np.float32))
    applied = [
        {"strength": strength, "result": apply_edit(w_plus, delta_w, strength).ravel().tolist()} for strength in (0.0, 0.1, 1.0, 1.5, -0.75)
    ]
    return {
        "tolerance": 0.0,
        "w_plus": w_plus.ravel().tolist(),
        "delta_w": delta_w.ravel().tolist(),
        "applied": applied,
        "text": text.ravel().tolist(),
        "w_plus_text": with_text(w_plus, text).ravel().tolist(),
        "ranges": [_strength_case(*case) for case in ((None, 0.8), (0.0, 0.0), (1.5, 1.5), (1.51, None), (-0.01, None), (math.nan, None))],
    }


def _strength_case(asked: float | None, used: float | None) -> dict[str, Any]:
    prompt = PromptEntry("smile", "a smile", "a face", {}, 0.8, 0.0, 1.5, "editors/smile", "models/editors/smile.pte")
    try:
        assert checked_strength(prompt, asked) == used, asked
    except TexteditError:
        assert used is None, asked
    asked_json = "NaN" if asked is not None and math.isnan(asked) else asked
    return {"default": 0.8, "minimum": 0.0, "maximum": 1.5, "asked": asked_json, "used": used}
