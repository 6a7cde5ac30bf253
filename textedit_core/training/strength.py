"""Strength calibration: strength 1 shows the same part of every edit, nearly all of it.

An edit's effect, measured as the share of the way from the neutral to the target text that the image embeddings go, grows with the
strength and then levels off, each edit's elsewhere (a smile at 0.4, a sketch at 0.75 in the first reference model): beyond, only side
effects grow. An equal share would need twice the strength of one edit and half of the other. So strength 1 is put where an edit reaches
a given part, `completion`, of the most that it reaches at all.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from textedit_core.editor import LatentEditor
from textedit_core.latents import apply_edit
from textedit_core.perception.text_pairs import TextPair
from textedit_core.prompts import Prompt
from textedit_core.training.editor_networks import FrozenNetworks

CALIBRATION_FACES = 48
STRENGTHS = tuple(0.25 * step for step in range(1, 9))
# An edit that never goes a twentieth of its way has no shape to calibrate by.
_LEAST_SHARE = 0.05
_BATCH = 16


@dataclass(frozen=True)
class Calibration:
    """Attributes: factor to multiply the editor with; share of the way reached at strength 1 then; the shares at STRENGTHS before."""

    factor: float
    reached: float
    curve: tuple[float, ...]


def calibrated(
    prompt: Prompt, editor: LatentEditor, networks: FrozenNetworks, latents: Tensor, sources: Tensor, pair: TextPair, completion: float
) -> Prompt:
    """Scales an editor in place and returns its prompt's record, with all factors so far in `calibration`.

    Args:
        prompt: the record so far.
        editor: any but a shared one.
        networks, latents, sources, pair: as in `shares`.
        completion: see `calibrate`.
    """
    with torch.no_grad():
        delta_w = editor(latents)
    found = calibrate(shares(networks, latents, delta_w, sources, pair), completion)
    editor.scale(found.factor)
    return recorded(prompt, found)


def recorded(prompt: Prompt, found: Calibration) -> Prompt:
    """The prompt's record with a calibration entered."""
    return dataclasses.replace(prompt, calibration=round(prompt.calibration * found.factor, 4), reached=round(found.reached, 4))


def calibration_rows(count: int) -> Tensor:
    """Which of `count` faces a calibration looks at: up to CALIBRATION_FACES, evenly spread, int64."""
    return torch.linspace(0, count - 1, min(CALIBRATION_FACES, count)).long()


def shares(networks: FrozenNetworks, latents: Tensor, delta_w: Tensor, sources: Tensor, pair: TextPair) -> list[float]:
    """Mean share of the way from neutral to target text at each of STRENGTHS; 0 is no change, 1 all that the texts differ by.

    Args:
        networks: decoder and text-image model.
        latents: w_plus [N,L,D].
        delta_w: the editor's answers [N,L,D].
        sources: embeddings [N,E] of the unedited faces.
        pair: embeddings [E], or [N,E] for a text per face.
    """
    return [float(share_at(networks, latents, delta_w, sources, pair, strength).mean()) for strength in STRENGTHS]


@torch.no_grad()
def share_at(networks: FrozenNetworks, latents: Tensor, delta_w: Tensor, sources: Tensor, pair: TextPair, strength: float) -> Tensor:
    """Share of the way of each face at one strength, float [N]; arguments as in `shares`."""
    edited = torch.cat([
        networks.clip.encode_image(networks.preview(apply_edit(w_plus, change, strength)))
        for w_plus, change in zip(latents.split(_BATCH), delta_w.split(_BATCH), strict=True)
    ])
    return ((edited - sources) * pair.way).sum(-1) / pair.way.square().sum(-1)


def calibrate(curve: list[float], completion: float) -> Calibration:
    """The strength at which the curve over STRENGTHS first reaches `completion` of its maximum, linearly interpolated from 0 on.

    An edit that does next to nothing, or a completion of 0, is left as it is: factor 1.
    """
    at_one = curve[STRENGTHS.index(1.0)]
    wanted = completion * max(curve)
    if not completion or max(curve) < _LEAST_SHARE:
        return Calibration(1.0, at_one, tuple(curve))
    points = list(zip((0.0, *STRENGTHS), (0.0, *curve), strict=True))
    for (low, before), (high, after) in zip(points, points[1:], strict=False):
        if after >= wanted:
            return Calibration(low + (high - low) * (wanted - before) / (after - before), wanted, tuple(curve))
    raise AssertionError("the maximum is on the curve")
