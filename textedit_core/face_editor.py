"""Editing photos: encode a face once, then edit it as often as wanted."""

from __future__ import annotations

from pathlib import Path

import torch
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from textedit_core.alignment import CropTransform, crop_face, paste_back
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.config import Prompt
from textedit_core.editor import LatentEditor
from textedit_core.errors import UsageError
from textedit_core.latents import apply_edit
from textedit_core.pixels import open_photo, save_image


class FaceEditor:
    """Edits the face of one photo at a time: ``set_photo`` once, then ``edit`` per prompt and strength.

    Args:
        checkpoint: an opened checkpoint; its editors are loaded when first used.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._pixels = checkpoint.config.pixel
        self._encoder = checkpoint.load_encoder()
        self._decoder = checkpoint.load_decoder()
        self._editors: dict[str, LatentEditor] = {}
        self._changes: dict[str, Tensor] = {}
        self._photo: Image.Image | None = None
        self._transform: CropTransform | None = None
        self._w_plus: Tensor | None = None

    def set_photo(self, photo: Image.Image, landmarks: ArrayLike | None = None) -> None:
        """Aligns and encodes a photo.

        Args:
            photo: RGB, upright, any size (`pixels.open_photo` makes one).
            landmarks: [5,2] in pixels, see `alignment`; None takes the central square.

        Raises:
            UserError: the landmarks do not fit the photo.
        """
        crop, self._transform = crop_face(photo, landmarks, self._pixels.size, self.checkpoint.config.crop)
        with torch.inference_mode():
            self._w_plus = self._encoder(self._pixels.to_tensor(crop))
        self._photo = photo
        self._changes.clear()

    def edit(self, prompt_id: str, strength: float | None = None, keep_detail: bool = False) -> Image.Image:
        """Returns the whole photo with the edited face pasted back.

        Strength 0 shows the networks' reconstruction of the face; the photo itself needs no editor.

        Args:
            prompt_id: one of the checkpoint's prompts.
            strength: unitless factor on delta_w, within the prompt's range; None is the prompt's default.
            keep_detail: paste the change between reconstruction and edit instead of the edit (see `paste_back`).

        Raises:
            UsageError: unknown prompt, or strength out of range.
            ValueError: no photo was set.
        """
        edited = self.edit_crop(prompt_id, strength)
        reconstruction = self.reconstruct_crop() if keep_detail else None
        photo, transform, _ = self._current()
        return paste_back(photo, edited, transform, reconstruction)

    def edit_crop(self, prompt_id: str, strength: float | None = None) -> Image.Image:
        """Returns the edited aligned crop, RGB [R x R]; arguments and errors as in ``edit``."""
        prompt = self.checkpoint.prompt(prompt_id)
        value = checked_strength(prompt, strength)
        _, _, w_plus = self._current()
        return self._render(apply_edit(w_plus, self._change(prompt_id, w_plus), value))

    def reconstruct_crop(self) -> Image.Image:
        """Returns the unedited aligned crop as the networks see it, RGB [R x R]: the bound on what an edit can keep."""
        return self._render(self._current()[2])

    def _current(self) -> tuple[Image.Image, CropTransform, Tensor]:
        if self._photo is None or self._transform is None or self._w_plus is None:
            raise ValueError("no photo yet; call set_photo first")
        return self._photo, self._transform, self._w_plus

    def _change(self, prompt_id: str, w_plus: Tensor) -> Tensor:
        if prompt_id not in self._editors:
            self._editors[prompt_id] = self.checkpoint.load_editor(prompt_id)
        if prompt_id not in self._changes:
            with torch.inference_mode():
                self._changes[prompt_id] = self._editors[prompt_id](w_plus)
        return self._changes[prompt_id]

    def _render(self, w_plus: Tensor) -> Image.Image:
        with torch.inference_mode():
            return self._pixels.to_image(self._decoder(w_plus))


def checked_strength(prompt: Prompt, strength: float | None) -> float:
    """Returns the strength to use; None is the prompt's default.

    Raises:
        UsageError: outside the prompt's range, or not a number.
    """
    value = prompt.strength_default if strength is None else strength
    if not prompt.strength_min <= value <= prompt.strength_max:
        allowed = f"{prompt.strength_min:g} to {prompt.strength_max:g}"
        raise UsageError(f"strength {value:g} is out of range; prompt '{prompt.id}' takes {allowed}")
    return value


def edit_photo(
    photo_path: Path,
    prompt: str,
    strength: float | None,
    out_path: Path,
    checkpoint: Path | None = None,
    landmarks: ArrayLike | None = None,
) -> None:
    """Edits one photo file and writes the result.

    Args:
        photo_path: any image that Pillow reads.
        prompt: id of one of the checkpoint's prompts.
        strength: see `FaceEditor.edit`; None is the prompt's default.
        out_path: image to write, atomically; the suffix selects the format.
        checkpoint: checkpoint folder; None is the embedded reference.
        landmarks: [5,2] in pixels of the upright photo; None takes the central square.

    Raises:
        UserError: unreadable photo or checkpoint, bad landmarks, unwritable output.
        UsageError: unknown prompt, or strength out of range.
    """
    opened = open_checkpoint(checkpoint)
    # Cheap checks first: a misspelt prompt should not cost the loading of networks.
    checked_strength(opened.prompt(prompt), strength)
    photo = open_photo(photo_path)
    editor = FaceEditor(opened)
    editor.set_photo(photo, landmarks)
    save_image(editor.edit(prompt, strength), out_path)
