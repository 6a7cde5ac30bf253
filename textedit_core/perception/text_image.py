"""What all text-image models share: both towers meet on one unit sphere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class TextImageModel(nn.Module, ABC):
    """Base of the text-image models: an open_clip network with its own tokenizer and its own way to prepare an image."""

    network: Any
    tokenizer: Any
    image_mean: Tensor

    def encode_image(self, image: Tensor) -> Tensor:
        """Embeds images: RGB float [B,3,H,W] in [-1,1], any size, to unit-norm float32 [B,E]. Differentiable."""
        return F.normalize(self.network.encode_image(self._prepare(image)).float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embeds texts to unit-norm float32 [B,E].

        Raises:
            UserError: a text is longer than the model reads.
        """
        ids = self.tokenizer.encode(texts).to(self.image_mean.device)
        return F.normalize(self.network.encode_text(ids).float(), dim=-1)

    @abstractmethod
    def _prepare(self, image: Tensor) -> Tensor:
        """The image as the network's visual tower takes it."""
