"""The networks of a checkpoint as they are, in fp32."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.compositor import Compositor
from textedit_core.config import Prompt

FP32 = "fp32"
# Modulated convolutions are grouped by face; small batches keep their weights in the processor's cache.
_BATCH = 4


class CheckpointNetworks:
    """`FaceNetworks` of a checkpoint, each loaded when it is first used.

    Attributes:
        name: "fp32".
        checkpoint_id: the checkpoint's.
        pixels: what the encoder takes.
        crop: how faces are cut out.
        prompts: the checkpoint's prompts by id.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = FP32
        self.checkpoint_id = checkpoint.checkpoint_id
        self.pixels = checkpoint.config.pixel
        self.crop = checkpoint.config.crop
        self.prompts = checkpoint.prompts
        self._checkpoint = checkpoint
        self._editors: dict[str, nn.Module] = {}

    def prompt(self, prompt_id: str) -> Prompt:
        """As in `FaceNetworks`."""
        return self._checkpoint.prompt(prompt_id)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return _batched(self._encoder, images)

    @torch.inference_mode()
    def delta(self, prompt_id: str, w_plus: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        if prompt_id not in self._editors:
            self._editors[prompt_id] = self._checkpoint.load_editor(prompt_id)
        return self._editors[prompt_id](w_plus)

    @torch.inference_mode()
    def decode(self, w_plus: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return _batched(self._decoder, w_plus)

    @property
    def has_compositor(self) -> bool:
        """As in `FaceNetworks`."""
        return self._checkpoint.has_compositor

    @property
    def guide_side(self) -> int:
        """As in `FaceNetworks`."""
        return self._checkpoint.config.compositor.guide if self.has_compositor else 0

    @torch.inference_mode()
    def composite(self, guides: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return _batched(self._compositor, guides)

    @functools.cached_property
    def _compositor(self) -> Compositor:
        return self._checkpoint.load_compositor()

    # Channels last is the layout in which convolutions are fastest on a processor.
    @functools.cached_property
    def _encoder(self) -> nn.Module:
        return self._checkpoint.load_encoder().to(memory_format=torch.channels_last)

    @functools.cached_property
    def _decoder(self) -> nn.Module:
        return self._checkpoint.load_decoder().to(memory_format=torch.channels_last)


def _batched(network: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    return torch.cat([network(part) for part in values.split(_BATCH)])
