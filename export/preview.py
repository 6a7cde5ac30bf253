"""Edits one photo with the very files that a phone would run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle import open_bundle
from export.graphs import DECODER, ENCODER
from export.vectors import editor_input
from export.verification import load_part
from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from export.manifest import PromptEntry


def preview(path: Path, photo_path: Path, prompt: str, strength: float | None, out: Path, landmarks: str | None = None) -> float:
    """Writes the edited photo and returns the strength that was used.

    Args:
        path: bundle directory or stored zip.
        photo_path: any image that Pillow reads.
        prompt: a prompt of the bundle.
        strength: unitless, within the prompt's range; None takes its default.
        out: image to write.
        landmarks: five "x,y" pairs in pixels of the upright photo; None takes the central square.

    Raises:
        UsageError: unknown prompt, strength out of range, or malformed landmarks.
        UserError: unreadable bundle or photo, unwritable output.
    """
    from textedit_core.alignment import CropRule, crop_face, parse_landmarks, paste_back
    from textedit_core.latents import apply_edit
    from textedit_core.pixels import PixelSpec, open_photo, save_image

    points = None if landmarks is None else parse_landmarks(landmarks)
    with open_bundle(path) as opened:
        entry = opened.manifest.prompt(prompt)
        used = checked_strength(entry, strength)
        pixels = PixelSpec(**opened.manifest.pixels)
        photo = open_photo(photo_path)
        crop, transform = crop_face(photo, points, pixels.size, CropRule(**opened.manifest.alignment["crop_rule"]))
        w_plus = load_part(opened, ENCODER)(pixels.to_tensor(crop).contiguous())
        delta_w = load_part(opened, entry.part)(editor_input(opened.root, opened.manifest, entry, w_plus))
        edited = load_part(opened, DECODER)(apply_edit(w_plus, delta_w, used))
        save_image(paste_back(photo, pixels.to_image(edited), transform), out)
    return used


def checked_strength(entry: PromptEntry, strength: float | None) -> float:
    """Returns the strength to apply.

    Raises:
        UsageError: outside the prompt's range, or not a number.
    """
    value = entry.strength_default if strength is None else strength
    if not entry.strength_min <= value <= entry.strength_max:
        raise UsageError(f"strength {value:g} is outside {entry.strength_min:g} to {entry.strength_max:g} of prompt {entry.id!r}")
    return value
