"""Any text-image model of the open_clip library, by name and without its downloads, in the place of the project's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from textedit_core.errors import UserError, unknown_name
from textedit_core.perception.config import ClipConfig
from textedit_core.perception.resize import resize_square
from textedit_core.perception.text_image import TextImageModel

# Parts of a model that open_clip fetches from the network whenever it builds it.
_REMOTE = ("hf_model_name", "hf_tokenizer_name")


def local_model_config(name: str) -> dict[str, Any]:
    """What open_clip knows of the model `name`, if it can build it without the network.

    Raises:
        UsageError: open_clip knows no such model.
        UserError: the model's text tower or tokenizer lies on the network, or it is no pair of towers.
    """
    if name not in open_clip.list_models():
        raise unknown_name("text-image model", name, open_clip.list_models(), "open_clip has")
    config: dict[str, Any] = open_clip.get_model_config(name)
    if "multimodal_cfg" in config or any(config["text_cfg"].get(key) for key in _REMOTE):
        raise UserError(f"text-image model {name!r} needs a tokenizer or text tower from the network; use another, e.g. ViT-B-32")
    return config


class OpenClipTokenizer:
    """The byte-pair tokenizer of Radford et al. 2021, which reads any text: no word is unknown to it."""

    vocabulary: tuple[str, ...] = ()

    def __init__(self, context_length: int) -> None:
        self.context_length = context_length
        self._coder = SimpleTokenizer(context_length=context_length)

    def __len__(self) -> int:
        return int(self._coder.vocab_size)

    def unknown_words(self, text: str) -> list[str]:
        """Always empty."""
        return []

    def tokens(self, text: str) -> list[str]:
        """Splits text into its pieces, without start and end."""
        return [self._coder.decoder[index] for index in self._coder.encode(text)]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encodes texts as int64 [B, context_length].

        Raises:
            UserError: a text does not fit; nothing is cut off silently.
        """
        for text in texts:
            # The start and the end of a text take a token each.
            count = len(self._coder.encode(text)) + 2
            if count > self.context_length:
                raise UserError(f"text '{text}' needs {count} tokens; this model reads {self.context_length}: shorten it")
        ids: Tensor = self._coder(list(texts))
        return ids


class OpenClipModel(TextImageModel):
    """Embeds images and texts into one unit sphere; what editors and losses use of ClipModel, for a model of open_clip.

    Args:
        cfg: `open_clip` names the model.

    Raises:
        UsageError: open_clip knows no such model.
        UserError: building it would need the network.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(self, cfg: ClipConfig) -> None:
        super().__init__()
        self.cfg, self.tokenizer = cfg, OpenClipTokenizer(cfg.context_length)
        self.network = _build_network(cfg)
        self.register_buffer("image_mean", torch.tensor(cfg.image_mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("image_std", torch.tensor(cfg.image_std).view(1, 3, 1, 1), persistent=False)

    @property
    def logit_scale(self) -> Tensor:
        """Inverse temperature of the logits, a positive scalar."""
        return self.network.logit_scale.exp()

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps of the visual tower, in the order of its layers, each [B,C,h,w], for a perceptual distance; image as above."""
        return self.network.visual.forward_intermediates(self._prepare(image), intermediates_only=True)["image_intermediates"]

    def _prepare(self, image: Tensor) -> Tensor:
        resized = resize_square(image, self.cfg.image_size)
        return ((resized + 1.0) * 0.5 - self.image_mean) / self.image_std


def _build_network(cfg: ClipConfig) -> CLIP | CustomTextCLIP:
    # Not by open_clip.create_model, which warns on every call without weights of its own.
    config = local_model_config(cfg.open_clip)
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    has_text_module = config.pop("custom_text", False)
    config["quick_gelu"] = cfg.quick_gelu
    return CustomTextCLIP(**config) if has_text_module else CLIP(**config)
