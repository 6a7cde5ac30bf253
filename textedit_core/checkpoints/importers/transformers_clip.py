"""Text-image models as the transformers library saves them (CLIPModel): open_clip's network under other names, q, k and v apart."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_MARKER = "vision_model.embeddings.patch_embedding.weight"
# The library's name -> open_clip's, in this order.
_NAMES = (
    (r"^vision_model\.embeddings\.class_embedding$", "visual.class_embedding"),
    (r"^vision_model\.embeddings\.patch_embedding\.", "visual.conv1."),
    (r"^vision_model\.embeddings\.position_embedding\.weight$", "visual.positional_embedding"),
    (r"^vision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"^vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"^vision_model\.encoder\.layers\.", "visual.transformer.resblocks."),
    (r"^text_model\.embeddings\.token_embedding\.", "token_embedding."),
    (r"^text_model\.embeddings\.position_embedding\.weight$", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."),
    (r"^text_model\.encoder\.layers\.", "transformer.resblocks."),
    (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.layer_norm([12])\.", r".ln_\1."),
    (r"\.mlp\.fc1\.", ".mlp.c_fc."),
    (r"\.mlp\.fc2\.", ".mlp.c_proj."),
)
_TRANSPOSED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}
_ATTENTION = re.compile(r"(.*)\.self_attn\.q_proj\.(weight|bias)")
_MAX_CONFIG_BYTES = 1 << 20


def is_transformers_clip(state: Mapping[str, Any]) -> bool:
    """Whether a state dict is that of the library's CLIPModel."""
    return _MARKER in state and "visual_projection.weight" in state


def to_open_clip(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The state dict by open_clip's names, and for each of them the file's own; keys that are not known keep theirs."""
    renamed: dict[str, Any] = {}
    names: dict[str, str] = {}
    for key, value in state.items():
        match = _ATTENTION.fullmatch(key)
        if match is not None:
            three = [f"{match[1]}.self_attn.{part}_proj.{match[2]}" for part in "qkv"]
            new, value, shown = f"{_renamed(match[1] + '.')}attn.in_proj_{match[2]}", _joined(state, three), ", ".join(three)
        elif ".self_attn.k_proj." in key or ".self_attn.v_proj." in key:
            continue
        elif key in _TRANSPOSED and isinstance(value, Tensor) and value.ndim == 2:
            new, value, shown = _TRANSPOSED[key], value.t(), key
        else:
            new, shown = _renamed(key), key
        renamed[new], names[new] = value, shown
    return renamed, names


def _joined(state: Mapping[str, Any], keys: list[str]) -> Any:
    parts = [part for part in (state.get(key) for key in keys) if isinstance(part, Tensor) and part.ndim]
    if len(parts) == len(keys) and all(part.shape == parts[0].shape for part in parts):
        return torch.cat(parts)
    # What is taken from the table must be a tensor of the right shape, or the error names these keys.
    return None


def _renamed(key: str) -> str:
    for pattern, replacement in _NAMES:
        key = re.sub(pattern, replacement, key)
    return key


def activation_beside(path: Path) -> str:
    """The activation that the library's config.json beside the weights names, "" where there is none or it is of another kind."""
    config = path.parent / "config.json"
    try:
        if config.stat().st_size > _MAX_CONFIG_BYTES:
            return ""
        values = json.loads(config.read_text("utf8"))
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(values, dict) or values.get("model_type") != "clip":
        return ""
    text = values.get("text_config")
    # The library's own default, which its files may leave out.
    return str(text.get("hidden_act", "quick_gelu")) if isinstance(text, dict) else "quick_gelu"
