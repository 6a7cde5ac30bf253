"""The published recipe of a text-driven mapper as a plain loop, to compare the speed of our editor training with.

After StyleCLIP (Patashnik et al. 2021, section 5 and appendix; the loop's order is that of its public training code): latents are encoded
beforehand; each step renders the unedited and the edited face at full size, brings the edited one to the judge's size by a seven-fold
nearest enlargement and average pooling, embeds image and text, and embeds both faces for the identity loss. Nothing is kept from step to
step, and all is float32. Weights: text 1.0, latent 0.8, identity 0.1, and 0.1 on the mapper's answer. Adam in place of Ranger, whose cost
per step on a mapper of this size is not noticed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.editor import PromptEditor
from textedit_core.editor.config import EditorConfig
from textedit_core.training.editor_networks import FrozenNetworks

ENLARGED = 7
STEP_SIZE = 0.1
LATENT_WEIGHT = 0.8
IDENTITY_WEIGHT = 0.1


class PlainMapper:
    """One step of the published loop.

    Args:
        networks: the same frozen networks that the other loop uses.
        editor: sizes of the mapper.
        text: the target text.
        latents: w_plus [N,L,D], encoded beforehand.
    """

    def __init__(self, networks: FrozenNetworks, editor: EditorConfig, text: str, latents: Tensor) -> None:
        self.networks, self.text, self.latents = networks, text, latents
        self.mapper = PromptEditor(editor)
        self.optimizer = torch.optim.Adam(self.mapper.parameters(), lr=0.5 * 1e-2)

    def step(self, rows: Tensor) -> float:
        """Trains on the latents of int64 rows [B] and returns the loss."""
        w = self.latents[rows]
        with torch.no_grad():
            image = self.networks.decoder(w)
        w_hat = w + STEP_SIZE * self.mapper(w)
        edited = self.networks.decoder(w_hat)
        loss = self._text_loss(edited) + LATENT_WEIGHT * F.mse_loss(w_hat, w) + IDENTITY_WEIGHT * self._identity_loss(edited, image)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def _text_loss(self, edited: Tensor) -> Tensor:
        clip, side = self.networks.clip, edited.shape[-1]
        large = F.interpolate(edited, scale_factor=ENLARGED, mode="nearest")
        pooled = F.avg_pool2d(large, side * ENLARGED // clip.cfg.image_size)
        return 1.0 - (clip.encode_image(pooled) * clip.encode_text([self.text])).sum(-1).mean()

    def _identity_loss(self, edited: Tensor, image: Tensor) -> Tensor:
        embed = self.networks.identity.embed
        return 1.0 - (embed(edited) * embed(image).detach()).sum(-1).mean()
