"""Measures a checkpoint on held-out rendered faces: does it bring the face back, does each edit match its text, is the person kept?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.latents import apply_edit
from textedit_core.losses.reconstruction import psnr
from textedit_core.pixels import save_image
from textedit_core.training.data import FaceDataset

SHEET_FACES = 8


@dataclass(frozen=True)
class Judges:
    """The text-image model and the identity net of the checkpoint; they were training losses, so their verdict is a self-report."""

    clip: nn.Module
    identity: nn.Module


@torch.no_grad()
def evaluate(checkpoint: str | Path | None, data: Path, faces: int, sheet: Path | None) -> dict[str, Any]:
    """Evaluates on `faces` held-out photos of a rendered dataset, spread evenly over its people.

    Returns:
        A JSON-ready report: `reconstruction` (PSNR in dB, identity cosine), `edits` by prompt (text match before and after as cosine,
        the share of faces whose match rose, identity cosine edited against reconstruction).

    Raises:
        UserError: the checkpoint or the dataset is missing or damaged, or has fewer held-out photos.
    """
    model = open_checkpoint(checkpoint)
    dataset = FaceDataset(data, "heldout", model.config.decoder.img_resolution, styles=("photo",))
    if faces > len(dataset):
        raise UserError(f"{str(data)!r} has {len(dataset)} held-out photos, fewer than --faces {faces}; render more")
    photos = dataset.images(torch.linspace(0, len(dataset) - 1, faces).long())
    encoder, decoder = model.load_encoder(), model.load_decoder()
    judges = Judges(model.load_clip(), model.load_identity())
    w_plus = _batched(encoder, photos)
    reconstruction = _batched(decoder, w_plus).clamp(-1, 1)
    edited = {name: _edit(model, decoder, name, w_plus) for name in model.prompts}
    if sheet is not None:
        save_contact_sheet(model, [photos, reconstruction, *edited.values()], sheet)
    return {
        "checkpoint_id": model.checkpoint_id,
        "faces": len(photos),
        "reconstruction": _reconstruction_report(photos, reconstruction, judges),
        "edits": {name: _edit_report(model, name, reconstruction, image, judges) for name, image in edited.items()},
    }


def _edit(model: Checkpoint, decoder: nn.Module, prompt: str, w_plus: Tensor) -> Tensor:
    delta_w = model.load_editor(prompt)(w_plus)
    return _batched(decoder, apply_edit(w_plus, delta_w, model.prompts[prompt].strength_default)).clamp(-1, 1)


def _batched(network: nn.Module, inputs: Tensor) -> Tensor:
    return torch.cat([network(part) for part in inputs.split(16)])


def _reconstruction_report(photos: Tensor, reconstruction: Tensor, judges: Judges) -> dict[str, float]:
    same = (judges.identity.embed(photos) * judges.identity.embed(reconstruction)).sum(1)
    others = judges.identity.embed(photos) @ judges.identity.embed(reconstruction).T
    rank = (others.argmax(1) == torch.arange(len(photos))).float()
    return {
        "psnr_db": float(psnr(reconstruction, photos, data_range=2.0).mean()),
        "identity_cosine": float(same.mean()),
        "identified_share": float(rank.mean()),
    }


def _edit_report(model: Checkpoint, prompt: str, before: Tensor, after: Tensor, judges: Judges) -> dict[str, float]:
    text = judges.clip.encode_text([model.prompts[prompt].text])
    match_before = (judges.clip.encode_image(before) @ text.T).squeeze(1)
    match_after = (judges.clip.encode_image(after) @ text.T).squeeze(1)
    identity = (judges.identity.embed(before) * judges.identity.embed(after)).sum(1)
    return {
        "text_match_before": float(match_before.mean()),
        "text_match_after": float(match_after.mean()),
        "improved_share": float((match_after > match_before).float().mean()),
        "identity_cosine": float(identity.mean()),
    }


def save_contact_sheet(model: Checkpoint, rows: list[Tensor], path: Path) -> None:
    """Writes rows of float images [N,3,R,R] in [-1,1] as one picture, the first SHEET_FACES faces a column each."""
    pixel = model.config.pixel
    side, columns = rows[0].shape[-1], min(SHEET_FACES, len(rows[0]))
    canvas = Image.new("RGB", (columns * side, len(rows) * side))
    for y, row in enumerate(rows):
        for x in range(columns):
            canvas.paste(pixel.to_image(row[x]), (x * side, y * side))
    save_image(canvas, path)


def format_report(report: dict[str, Any]) -> str:
    """The report as a plain text table."""
    r = report["reconstruction"]
    lines = [
        f"{report['checkpoint_id']} on {report['faces']} held-out photos",
        f"reconstruction: {r['psnr_db']:.2f} dB PSNR, identity cosine {r['identity_cosine']:.3f}, "
        f"found again among all {100 * r['identified_share']:.0f}%",
        f"{'prompt':<10}{'match before':>14}{'after':>10}{'improved':>10}{'identity':>10}",
    ]
    for name, e in report["edits"].items():
        lines.append(
            f"{name:<10}{e['text_match_before']:>14.3f}{e['text_match_after']:>10.3f}"
            f"{100 * e['improved_share']:>9.0f}%{e['identity_cosine']:>10.3f}"
        )
    return "\n".join(lines)
