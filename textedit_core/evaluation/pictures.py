"""The pictures that an evaluation keeps to be looked at: a few faces of every row, strength strips and the worst cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from textedit_core.photos import save_image

SHEET_FACES = 6
STRIP_FACES = 3
WORST_FACES = 4
CONTACT_FACES = 8


@dataclass
class PromptPictures:
    """Pictures of one prompt, uint8 [3,C,C] each or stacked.

    Attributes:
        rows: by the row's name, in the order of the sheet: the picture of each group that the sheet shows.
        strips: by row, for a few faces, one picture per strength [S,3,C,C].
        worst: the faces that the judge likes least, worst first, [K,3,C,C] by what is shown of them.
    """

    rows: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    strips: dict[str, list[Tensor]] = field(default_factory=dict)
    worst: dict[str, Tensor] = field(default_factory=dict)

    def add_strips(self, row: str, steps: list[Tensor]) -> None:
        """Adds strips from pictures [F,3,C,C] of the same faces at each strength."""
        self.strips[row] = [torch.stack(face) for face in zip(*steps, strict=True)]


@dataclass
class Pictures:
    """All that the sheet shows.

    Attributes:
        photos: by group, the source picture.
        reconstructions: by row and group.
        prompts: by prompt.
        contact: rows of the contact sheet, [K,3,C,C] each: photos, reconstructions, fp32 edits by prompt.
        out_of_domain: captioned pictures of the photograph.
    """

    photos: dict[int, Tensor]
    reconstructions: dict[str, dict[int, Tensor]]
    prompts: dict[str, PromptPictures] = field(default_factory=dict)
    contact: list[Tensor] = field(default_factory=list)
    out_of_domain: list[tuple[str, Image.Image]] = field(default_factory=list)


def to_image(picture: Tensor) -> Image.Image:
    """One picture uint8 [3,C,C] as a Pillow image."""
    return Image.fromarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()), "RGB")


def save_contact_sheet(rows: list[Tensor], path: Path) -> None:
    """Writes rows of pictures uint8 [N,3,C,C] as one image, a column per face.

    Raises:
        UserError: the file cannot be written.
    """
    side, columns = rows[0].shape[-1], min(CONTACT_FACES, len(rows[0]))
    canvas = Image.new("RGB", (columns * side, len(rows) * side))
    for y, row in enumerate(rows):
        for x in range(columns):
            canvas.paste(to_image(row[x]), (x * side, y * side))
    save_image(canvas, path)
