"""Text-image matcher: an open_clip network of our own size, trained on our own captions (Radford et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from torch import Tensor

from textedit_core.perception.config import ClipConfig
from textedit_core.perception.resize import resize_square
from textedit_core.perception.text_image import TextImageModel
from textedit_core.perception.tokenizer import PromptTokenizer

# Radford et al. 2021, section 2.5: the scale is clipped so that logits are never multiplied by more than 100.
MAX_LOGIT_SCALE = 100.0


class ClipModel(TextImageModel):
    """Embeds images and texts into one unit sphere.

    Args:
        cfg: sizes of both towers.
        tokenizer: its vocabulary and context must fit ``cfg``.

    Raises:
        ValueError: the tokenizer does not fit ``cfg``.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(self, cfg: ClipConfig, tokenizer: PromptTokenizer) -> None:
        super().__init__()
        if len(tokenizer) > cfg.vocab_size or tokenizer.context_length != cfg.context_length:
            raise ValueError(
                f"tokenizer has {len(tokenizer)} tokens and context {tokenizer.context_length}; "
                f"the text tower reads {cfg.vocab_size} tokens and context {cfg.context_length}"
            )
        self.cfg = cfg
        self.tokenizer = tokenizer
        self.network = _build_network(cfg, tokenizer)
        mean, std = torch.tensor(OPENAI_DATASET_MEAN), torch.tensor(OPENAI_DATASET_STD)
        self.register_buffer("image_mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("image_std", std.view(1, 3, 1, 1), persistent=False)

    @property
    def logit_scale(self) -> Tensor:
        """Inverse temperature of the logits: scalar in (0, 100]."""
        return self.network.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps of the visual trunk, fine to coarse, each [B,C,h,w], for a perceptual distance.

        Args:
            image: RGB float [B,3,H,W] in [-1,1], any size.
        """
        return self.network.visual.trunk.forward_intermediates(self._prepare(image), intermediates_only=True)

    def contrastive_loss(self, images: Tensor, texts: Sequence[str]) -> Tensor:
        """Symmetric InfoNCE (Radford et al. 2021, figure 3), scalar.

        Equal captions within a batch are all positives and share the target mass evenly; with distinct captions
        this is the original loss.

        Args:
            images: RGB float [B,3,H,W] in [-1,1].
            texts: B captions.
        """
        return self.embedding_loss(self.encode_image(images), self.encode_text(texts), texts)

    def embedding_loss(self, images: Tensor, embedded_texts: Tensor, texts: Sequence[str]) -> Tensor:
        """`contrastive_loss` of what is embedded already: unit-norm float [B,E] of images and of B captions -> scalar."""
        targets = caption_targets(texts).to(images.device)
        logits = self.logit_scale * images @ embedded_texts.T
        return 0.5 * (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets))

    def _prepare(self, image: Tensor) -> Tensor:
        resized = resize_square(image, self.cfg.image_size)
        return ((resized + 1.0) * 0.5 - self.image_mean) / self.image_std


def caption_targets(texts: Sequence[str]) -> Tensor:
    """Soft targets float32 [B,B]: row i is uniform over the columns with the same caption as i (rows sum to 1)."""
    index = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    labels = torch.tensor([index[text] for text in texts])
    same = (labels[:, None] == labels[None, :]).float()
    return same / same.sum(dim=1, keepdim=True)


def _build_network(cfg: ClipConfig, tokenizer: PromptTokenizer) -> CLIP:
    vision = CLIPVisionCfg(
        image_size=cfg.image_size,
        timm_model_name=cfg.timm_model,
        timm_model_pretrained=False,
        timm_pool="avg",
        timm_proj="linear",
    )
    text = CLIPTextCfg(
        context_length=cfg.context_length,
        vocab_size=cfg.vocab_size,
        width=cfg.text_width,
        heads=cfg.text_heads,
        layers=cfg.text_layers,
        pad_id=tokenizer.pad_id,
        eos_id=tokenizer.end_id,
        pool_type="eos",
    )
    return CLIP(embed_dim=cfg.embed_dim, vision_cfg=vision, text_cfg=text)
