"""Pictures and what the independent judges say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from textedit_core import psnr
from textedit_core.alignment import ALIGNMENT_TEMPLATE
from textedit_core.evaluation.verdicts import Attributes
from textedit_core.pixels import PixelSpec

BATCH = 32
_PIXELS = PixelSpec()


class Judges(Protocol):
    """What the evaluation asks of its judges; `textedit_core.judges` has the real ones."""

    @property
    def card(self) -> dict[str, Any]:
        """Their held-out figures."""
        ...

    def attributes(self, images: Tensor) -> dict[str, Tensor]:
        """Attributes of float images [N,3,H,W] in [-1,1]."""
        ...

    def identity(self, images: Tensor) -> Tensor:
        """Unit-norm embeddings [N,E] of float images [N,3,H,W] in [-1,1]."""
        ...

    def perceptual_distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Distances [N] of float images [N,3,H,W] in [-1,1]."""
        ...


class Recogniser(Protocol):
    """A face recogniser from elsewhere, another opinion on identity; `onnx_recogniser` has the real one."""

    @property
    def card(self) -> dict[str, Any]:
        """Where it comes from, for the report."""
        ...

    def embed(self, images: Tensor, landmarks: ArrayLike = ALIGNMENT_TEMPLATE) -> NDArray[np.float64]:
        """Unit-norm embeddings [N,E] of uint8 [N,3,C,C], whose landmarks lie at fractions [5,2] of the side."""
        ...


@dataclass(frozen=True)
class Shown:
    """Pictures as a user gets them, uint8 [N,3,C,C], with the judges' word on each.

    Attributes:
        images: the pictures.
        attributes: by name, float [N] or [N,classes].
        identity: unit-norm embeddings, float [N,E].
        recognised: those of the recogniser from elsewhere; None without one.
    """

    images: Tensor
    attributes: Attributes
    identity: NDArray[np.float64]
    recognised: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def rows(self, chosen: Sequence[int]) -> Shown:
        """The chosen pictures alone."""
        picked = list(chosen)
        attributes = {name: values[picked] for name, values in self.attributes.items()}
        recognised = None if self.recognised is None else self.recognised[picked]
        return Shown(self.images[picked], attributes, self.identity[picked], recognised)


@torch.inference_mode()
def show(judges: Judges, images: Tensor, recogniser: Recogniser | None = None, landmarks: ArrayLike = ALIGNMENT_TEMPLATE) -> Shown:
    """Asks both judges about pictures, uint8 [N,3,C,C], and the recogniser if there is one; `landmarks` as in `Recogniser.embed`."""
    identity = [judges.identity(as_float(part)).double().cpu().numpy() for part in images.split(BATCH)]
    recognised = None if recogniser is None else recogniser.embed(images, landmarks)
    return Shown(images, ask_attributes(judges, images), np.concatenate(identity), recognised)


@torch.inference_mode()
def ask_attributes(judges: Judges, images: Tensor) -> Attributes:
    """Asks the attribute judge alone about pictures, uint8 [N,3,C,C]: by name, float64 [N] or [N,classes]."""
    attributes: dict[str, list[NDArray[np.float64]]] = {}
    for part in images.split(BATCH):
        for name, values in judges.attributes(as_float(part)).items():
            attributes.setdefault(name, []).append(values.double().cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in attributes.items()}


@torch.inference_mode()
def perceptual_distance(judges: Judges, first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """The judges' perceptual distance [N] of pictures, both uint8 [N,3,C,C]."""
    pairs = zip(first.split(BATCH), second.split(BATCH), strict=True)
    return np.concatenate([judges.perceptual_distance(as_float(a), as_float(b)).double().cpu().numpy() for a, b in pairs])


def psnr_db(first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio [N] of pictures, both uint8 [N,3,C,C], in dB; infinite for equal ones."""
    pairs = zip(first.split(BATCH), second.split(BATCH), strict=True)
    return torch.cat([psnr.psnr_db(a, b, data_range=255.0) for a, b in pairs]).numpy()


def background_drift(first: Tensor, second: Tensor, background: Tensor) -> NDArray[np.float64]:
    """Mean absolute difference [N] of the pictures uint8 [N,3,C,C] where background, bool [N,C,C], is set; in levels of 0 to 255.

    NaN where a picture has no background.
    """
    drifts = []
    for a, b, mask in zip(first.split(BATCH), second.split(BATCH), background.split(BATCH), strict=True):
        difference = (a.float() - b.float()).abs().mean(1)
        # No pixel over no pixel is NaN, as it should be.
        drifts.append((difference * mask).sum((1, 2), dtype=torch.float64) / mask.sum((1, 2)))
    return torch.cat(drifts).numpy()


def as_float(images: Tensor) -> Tensor:
    """uint8 [N,3,C,C] as float32 in [-1,1], laid out channels last, in which convolutions on a processor are a third faster."""
    return _PIXELS.from_uint8(images).contiguous(memory_format=torch.channels_last)


def as_shown(images: Tensor, size: int) -> Tensor:
    """What a network drew, float [N,3,R,R] in [-1,1], as uint8 [N,3,size,size]; another resolution is resampled with antialiasing."""
    if images.shape[-1] != size:
        images = F.interpolate(images, (size, size), mode="bilinear", antialias=True)
    return _PIXELS.to_uint8(images)
