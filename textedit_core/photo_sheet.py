"""A sheet of edits: a row per photo, a column per prompt."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from textedit_core.photos import save_image

# Sides in pixels: of one face, and of the strip that names a column or a row.
CELL = 256
_LABEL = 24
_TEXT = 16
_INK, _PAPER = "black", "white"


def sheet_size(photos: int, prompts: int) -> tuple[int, int]:
    """Width and height in pixels of the sheet of this many photos and prompts."""
    return CELL * (prompts + 1), _LABEL + (CELL + _LABEL) * photos


def save_sheet(rows: list[tuple[str, list[Image.Image]]], prompts: list[str], path: Path) -> None:
    """Writes the sheet.

    Args:
        rows: each photo's name, and its face unedited and by prompt, RGB squares of any side.
        prompts: the names of the columns after the first.
        path: the file; the suffix selects the format.

    Raises:
        UserError: the file cannot be written.
    """
    sheet = Image.new("RGB", sheet_size(len(rows), len(prompts)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TEXT)
    for column, name in enumerate(["photo", *prompts]):
        draw.text((column * CELL + 4, 3), name, _INK, font)
    for row, (name, faces) in enumerate(rows):
        top = _LABEL + row * (CELL + _LABEL)
        for column, face in enumerate(faces):
            sheet.paste(face.resize((CELL, CELL), Image.Resampling.LANCZOS), (column * CELL, top))
        draw.text((4, top + CELL + 3), name, _INK, font)
    save_image(sheet, path)
