"""Text-image models of open_clip, OpenAI's own among them: a state dict, or OpenAI's TorchScript archive, and the model's name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.safe_unpickle import Record
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import ClipConfig
from textedit_core.errors import UserError, unknown_name
from textedit_core.perception.open_clip_model import OpenClipModel, local_model_config

FORMAT = "open_clip"
_PARALLEL = "module."
_NETWORK = "network."
# What OpenAI's archives store beside the weights.
_SIZES = ("input_resolution", "context_length", "vocab_size")
# Keys of the text tower in files from before it became a module of its own.
_TEXT = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")


def _recognises(source: Source) -> bool:
    state = _state(source)
    return "logit_scale" in state and any(key.startswith("visual.") for key in state)


def _state(source: Source) -> dict[str, Any]:
    """The state dict within the file, by the model's own names."""
    content = source.content
    if source.container == "torchscript":
        return _leaves(content) if isinstance(content, Record) else {}
    if not isinstance(content, dict):
        return {}
    state = content.get("state_dict", content)
    if not isinstance(state, dict):
        return {}
    named = {str(key): value for key, value in state.items()}
    wrapped = bool(named) and all(key.startswith(_PARALLEL) for key in named)
    return {key.removeprefix(_PARALLEL) if wrapped else key: value for key, value in named.items()}


def _leaves(record: Record, prefix: str = "") -> dict[str, Tensor]:
    """The tensors of a scripted module and of the modules inside it, by their path of attributes."""
    found: dict[str, Tensor] = {}
    for key, value in (record.state if isinstance(record.state, dict) else {}).items():
        if isinstance(value, Record):
            found |= _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, Tensor):
            found[f"{prefix}{key}"] = value
    return found


def _read(source: Source, choice: str) -> Imported:
    if not choice:
        raise UserError(f"{str(source.path)!r} does not say which model it is; give its name: --clip ViT-B-32={source.path.name}")
    model, _, tag = choice.partition("=")
    # OpenAI writes ViT-B/32, open_clip ViT-B-32.
    config = clip_config(model.replace("/", "-"), tag, quick_gelu=source.container == "torchscript")
    state = _state(source)
    nested = not any(key.startswith("text.") for key in state) and _has_text_module(config)
    table = KeyTable(source.path, _shaped(state))
    for key in _SIZES:
        if key in table:
            table.ignore(key, "a size that the model's name tells")
    tensors = take_network(table, partial(OpenClipModel, config), partial(_foreign_name, nested=nested))
    notes = (f"{config.open_clip}{' with the activation of OpenAI' if config.quick_gelu else ''}, reads photos of {config.image_size} px",)
    return Imported("clip", FORMAT, config, tensors, table.report(), notes=notes)


def _shaped(state: dict[str, Any]) -> dict[str, Any]:
    """The temperature as a scalar: some files hold it as a vector of one number."""
    scales = {key: state[key].reshape(()) for key in ("logit_scale", "logit_bias") if isinstance(state.get(key), Tensor)}
    return {**state, **{key: value for key, value in scales.items() if value.numel() == 1}}


def _foreign_name(key: str, nested: bool) -> str:
    name = key.removeprefix(_NETWORK)
    return name.removeprefix("text.") if nested and name.removeprefix("text.").split(".")[0] in _TEXT else name


def _has_text_module(config: ClipConfig) -> bool:
    with torch.device("meta"):
        return hasattr(OpenClipModel(config).network, "text")


def clip_config(name: str, tag: str = "", quick_gelu: bool = False) -> ClipConfig:
    """The config of a model that open_clip knows by name.

    Args:
        name: as open_clip writes it.
        tag: which of its published weights the file holds, "" where that is not known; activation and normalisation are then theirs.
        quick_gelu: the weights were trained with OpenAI's activation, whatever the name says.

    Raises:
        UsageError: open_clip knows no such model, or no such weights of it.
        UserError: building it would need the network, or it looks at oblong images.
    """
    known = local_model_config(name)
    size = known["vision_cfg"].get("image_size", 224)
    if isinstance(size, (list, tuple)):
        if len(set(size)) != 1:
            raise UserError(f"text-image model {name!r} looks at images of {size} px; one that looks at square images is needed")
        size = size[0]
    text = known["text_cfg"]
    published = _published(name, tag) if tag else {}
    mean, std = (tuple(published["mean"]), tuple(published["std"])) if published else _usual_normalisation(name)
    activations = (quick_gelu, known.get("quick_gelu", False), published.get("quick_gelu", False))
    return ClipConfig(
        embed_dim=known["embed_dim"],
        image_size=size,
        timm_model="",
        text_width=text["width"],
        text_layers=text["layers"],
        text_heads=text["heads"],
        context_length=text.get("context_length", 77),
        vocab_size=text.get("vocab_size", 49408),
        open_clip=name,
        quick_gelu=any(activations),
        image_mean=mean,
        image_std=std,
    )


def _usual_normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation that most published weights of this model were trained with; OpenAI's where there are none."""
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    default = ClipConfig()
    published = [get_pretrained_cfg(name, tag) for tag in list_pretrained_tags_by_model(name)]
    pairs = [(tuple(each["mean"]), tuple(each["std"])) for each in published if each.get("mean") and each.get("std")]
    return max(pairs, key=pairs.count) if pairs else (default.image_mean, default.image_std)


def _published(name: str, tag: str) -> dict[str, Any]:
    """What open_clip knows of weights that it can fetch."""
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(name)
    if tag not in tags:
        raise unknown_name("weights", tag, tags, f"{name} has")
    return get_pretrained_cfg(name, tag)


def download_weights(name: str, tag: str) -> Path:
    """Fetches published weights of an open_clip model into the cache of its library. Nothing else here uses the network.

    Args:
        name: the model, as open_clip writes it.
        tag: which of its weights, e.g. "openai".

    Raises:
        UsageError: the model or the tag is unknown.
        UserError: the model cannot be imported, or the download failed.
    """
    from open_clip.pretrained import download_pretrained

    clip_config(name, tag)
    try:
        return Path(download_pretrained(_published(name, tag)))
    except Exception as error:  # whatever the hub's client or the connection raises
        raise UserError(f"{name} {tag} cannot be downloaded: {(str(error).splitlines() or [''])[0]}") from None


IMPORTER = Importer(FORMAT, "clip", _recognises, _read, takes_choice=True)
