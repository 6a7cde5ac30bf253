"""What all rows of an evaluation share, and a row's networks with the photos encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.config import Prompt
from textedit_core.evaluation.drift import other_traits
from textedit_core.evaluation.ground_truth import GroundTruth
from textedit_core.evaluation.measures import Measures, Question
from textedit_core.evaluation.panel import BATCH, Judges, Recogniser, Shown, as_float, as_shown, show
from textedit_core.evaluation.verdicts import VERDICTS
from textedit_core.face_networks import FaceNetworks

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """What does not change from row to row.

    Attributes:
        checkpoint: the model under evaluation.
        judges: who judges.
        truth: the counterfactual groups.
        photos: their source pictures.
        recogniser: another opinion on identity; None without one.
        sheet_groups: the groups whose pictures are kept for the sheet.
        seed: of the bootstrap.
    """

    checkpoint: Checkpoint
    judges: Judges
    truth: GroundTruth
    photos: Shown
    sheet_groups: tuple[int, ...]
    seed: int
    recogniser: Recogniser | None = None

    @property
    def size(self) -> int:
        """C, the side of all pictures in pixels: what the encoder takes."""
        return self.checkpoint.config.pixel.size

    def draw(self, networks: FaceNetworks, w_plus: Tensor) -> Shown:
        """Decodes w_plus [N,L,D] and has the pictures judged."""
        drawn = [as_shown(networks.decode(part), self.size) for part in w_plus.split(BATCH)]
        return show(self.judges, torch.cat(drawn), self.recogniser)

    def question(self, prompt: str) -> Question:
        """What every row of a prompt is asked. Without a counterfactual of its name, what needs no ground truth remains."""
        if prompt not in self.truth.partners:
            return Question(self.photos, None, self.truth.source_background, None, other_traits(None, self.truth.source_labels, []))
        verdict = VERDICTS[prompt]
        others = other_traits(verdict, self.truth.source_labels, self.truth.partner_labels[prompt])
        background = None if verdict.restyles else self.truth.backgrounds[prompt]
        return Question(self.photos, show(self.judges, self.truth.partners[prompt], self.recogniser), background, verdict, others)


@dataclass(frozen=True)
class Prepared:
    """The networks of a row, with the photos of the `chosen` groups encoded and reconstructed."""

    networks: FaceNetworks
    chosen: Sequence[int]
    w_plus: Tensor
    unedited: Shown


def prepare(setting: Setting, networks: FaceNetworks, chosen: Sequence[int]) -> Prepared:
    """Encodes and reconstructs the source photos of the chosen groups."""
    w_plus = encode(networks, setting.truth.sources[list(chosen)])
    return Prepared(networks, chosen, w_plus, setting.draw(networks, w_plus))


def encode(networks: FaceNetworks, images: Tensor) -> Tensor:
    """w_plus [N,L,D] of pictures uint8 [N,3,C,C]."""
    return torch.cat([networks.encode(as_float(part)) for part in images.split(BATCH)])


class TextMatcher:
    """The checkpoint's own text-image model. It was a training loss, so that its verdict is a self-report."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._clip = checkpoint.load_clip() if "clip.safetensors" in checkpoint.files else None

    @torch.inference_mode()
    def measure(self, prompt: Prompt, shown: Shown) -> Measures:
        """Cosine of each picture with the prompt's text as `text_match_self_report`, [N]; nothing when the checkpoint has no such model."""
        if self._clip is None:
            return {}
        text = self._clip.encode_text([prompt.text])
        match = [(self._clip.encode_image(as_float(part)) @ text.T).squeeze(1) for part in shown.images.split(BATCH)]
        return {"text_match_self_report": torch.cat(match).double().numpy()}
