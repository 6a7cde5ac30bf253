"""Editing photos: encode a face once, then edit it as often as wanted, whatever runs the networks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from textedit_core.alignment import crop_face
from textedit_core.compositor import guides_of
from textedit_core.compositor.composition import Overlay, compose, overlay
from textedit_core.errors import UsageError
from textedit_core.face_networks import EditPrompt, FaceNetworks
from textedit_core.latents import apply_edit
from textedit_core.open_networks import open_networks
from textedit_core.pasting import paste_back

# By prompt id the strength, a unitless factor on the prompt's delta_w; None is the prompt's default.
Edits = Mapping[str, float | None]


class FaceEditor:
    """Edits faces in photos: `open` a model, `photo` once per photo, then `edit` as often as wanted.

    A context manager, since an opened zip is unpacked into a folder that has to go again.

    Args:
        networks: of a checkpoint or a bundle; `open` finds them by their path.
    """

    def __init__(self, networks: FaceNetworks) -> None:
        self.networks = networks
        self._opened = contextlib.ExitStack()

    @classmethod
    def open(cls, path: str | Path | None = None) -> FaceEditor:
        """Opens a checkpoint folder or a bundle (a directory or a stored zip); None is the embedded reference checkpoint.

        Raises:
            UserError: there is nothing at `path`, it is neither, or it is damaged.
        """
        with contextlib.ExitStack() as stack:
            editor = cls(stack.enter_context(open_networks(path)))
            editor._opened = stack.pop_all()
        return editor

    def photo(self, photo: Image.Image, landmarks: ArrayLike | None = None) -> EditSession:
        """Aligns and encodes the face of a photo.

        Args:
            photo: RGB, upright, any size (`photos.open_photo` gives it as `Photo.image`).
            landmarks: [5,2] in pixels, see `alignment`; None takes the central square.

        Raises:
            UserError: the landmarks do not fit the photo, or nothing on this machine runs the networks.
        """
        return EditSession(self.networks, photo, landmarks)

    def close(self) -> None:
        """Removes what was unpacked; the editor and its sessions are not to be used afterwards."""
        self._opened.close()

    def __enter__(self) -> FaceEditor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class EditSession:
    """One photo: encoded once, edited many times; each prompt's delta_w is computed once. `FaceEditor.photo` makes it.

    Attributes:
        photo: the photo; no edit changes it.
        crop: the aligned face as the encoder takes it, RGB [S x S].
        transform: where in the photo the crop lies.
    """

    def __init__(self, networks: FaceNetworks, photo: Image.Image, landmarks: ArrayLike | None) -> None:
        self.photo = photo
        self.crop, self.transform = crop_face(photo, landmarks, networks.pixels.size, networks.crop)
        self._networks = networks
        self._w_plus = networks.encode(networks.pixels.to_tensor(self.crop))
        self._deltas: dict[str, Tensor] = {}
        self._before: Tensor | None = None

    def edit(self, edits: Edits, keep_detail: bool = False) -> Image.Image:
        """Returns the whole photo with the edit drawn on it; strength 0 gives the photo itself.

        A model without a compositor has the edited face pasted back instead; there strength 0 shows the networks' reconstruction.

        Args:
            edits: strengths by prompt id, each within its prompt's range; several prompts add up.
            keep_detail: without a compositor, paste the change between reconstruction and edit instead of the edit (see `paste_back`).

        Raises:
            UsageError: unknown prompt, or strength out of range.
        """
        if self._networks.has_compositor:
            return compose(self.photo, self.drawn(edits), self.transform)
        edited = self.edit_crop(edits)
        return paste_back(self.photo, edited, self.transform, self.reconstruct_crop() if keep_detail else None)

    def drawn(self, edits: Edits) -> Overlay:
        """What the model's compositor draws on the photo for the edit, in the crop; arguments and errors as in `edit`."""
        networks = self._networks
        if self._before is None:
            self._before = networks.decode(self._w_plus)
        after = networks.decode(self._edited(edits))
        guides = guides_of(networks.pixels.to_tensor(self.crop), self._before, after, networks.guide_side)
        return overlay(networks.composite(guides), after, self.crop)

    def edit_crop(self, edits: Edits) -> Image.Image:
        """Returns the edited aligned crop, RGB [R x R]; arguments and errors as in `edit`."""
        return self._decoded(self._edited(edits))

    def reconstruct_crop(self) -> Image.Image:
        """Returns the unedited aligned crop as the networks see it, RGB [R x R]: the bound on what an edit can keep."""
        return self._decoded(self._w_plus)

    def _edited(self, edits: Edits) -> Tensor:
        w_plus = self._w_plus
        for prompt_id, strength in checked_strengths(self._networks, edits).items():
            w_plus = apply_edit(w_plus, self._delta(prompt_id), strength)
        return w_plus

    def _delta(self, prompt_id: str) -> Tensor:
        if prompt_id not in self._deltas:
            self._deltas[prompt_id] = self._networks.delta(prompt_id, self._w_plus)
        return self._deltas[prompt_id]

    def _decoded(self, w_plus: Tensor) -> Image.Image:
        return self._networks.pixels.to_image(self._networks.decode(w_plus))


def checked_strengths(networks: FaceNetworks, edits: Edits) -> dict[str, float]:
    """The strength to use, by prompt id; runs no network.

    Raises:
        UsageError: unknown prompt, or strength out of range.
    """
    return {prompt_id: checked_strength(networks.prompt(prompt_id), strength) for prompt_id, strength in edits.items()}


def checked_strength(prompt: EditPrompt, strength: float | None) -> float:
    """Returns the strength to use; None is the prompt's default.

    Raises:
        UsageError: outside the prompt's range, or not a number.
    """
    value = prompt.strength_default if strength is None else strength
    if not prompt.strength_min <= value <= prompt.strength_max:
        allowed = f"{prompt.strength_min:g} to {prompt.strength_max:g}"
        raise UsageError(f"strength {value:g} is out of range; prompt '{prompt.id}' takes {allowed}")
    return value

