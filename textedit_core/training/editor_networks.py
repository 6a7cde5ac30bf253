"""The frozen networks around an editor, loaded once and ready to be differentiated through."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.encoder import Encoder, PyramidEncoder
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.face_identity import IRSE50, IdentityNet


@dataclass(frozen=True)
class FrozenNetworks:
    """Encoder, decoder and the two perception networks, in eval mode, without gradients of their own, channels last."""

    encoder: Encoder | PyramidEncoder
    decoder: nn.Module
    clip: ClipModel
    identity: IdentityNet | IRSE50

    def preview(self, w_plus: Tensor) -> Tensor:
        """The face of w_plus [B,L,D] as float32 [B,3,R/2,R/2], about the size that the perception networks look at."""
        return self.decoder.preview(w_plus).float()


def load_frozen(checkpoint: Checkpoint, device: torch.device) -> FrozenNetworks:
    """Loads what an editor is trained with.

    Raises:
        UserError: the checkpoint lacks a part, or one is damaged.
    """
    loaded = (checkpoint.load_encoder(), checkpoint.load_decoder(), checkpoint.load_clip(), checkpoint.load_identity())
    encoder, decoder, clip, identity = (network.to(device, memory_format=torch.channels_last) for network in loaded)
    return FrozenNetworks(encoder, decoder, clip, identity)
