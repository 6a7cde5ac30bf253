"""Text-image models of open_clip: a state dict, open_clip's or transformers', or OpenAI's TorchScript archive, and the model's name."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import ChoiceNeeded, Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.safe_unpickle import Record
from textedit_core.checkpoints.importers.transformers_clip import activation_beside, is_transformers_clip, to_open_clip
from textedit_core.checkpoints.importers.whole_network import COUNTER, take_network
from textedit_core.config import ClipConfig
from textedit_core.errors import UserError, unknown_name
from textedit_core.perception.open_clip_model import OpenClipModel, local_model_config

FORMAT = "open_clip"
_PARALLEL = "module."
_NETWORK = "network."
# What a name may end in, after a colon, where weights of it exist with either activation.
_ACTIVATIONS = ("gelu", "quickgelu")
# What OpenAI's archives store beside the weights.
_SIZES = ("input_resolution", "context_length", "vocab_size")
# Keys of the text tower in files from before it became a module of its own.
_TEXT = ("text_projection", "positional_embedding", "token_embedding", "transformer", "ln_final")


def _recognises(source: Source) -> bool:
    state = _stored_state(source)
    return is_transformers_clip(state) or ("logit_scale" in state and any(key.startswith("visual.") for key in state))


def _named_state(source: Source) -> tuple[dict[str, Any], dict[str, str]]:
    """The state dict within the file by open_clip's names, and the file's own names where they differ."""
    state = _stored_state(source)
    return to_open_clip(state) if is_transformers_clip(state) else (state, {})


def _stored_state(source: Source) -> dict[str, Any]:
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
    model, _, tag = choice.replace(":", "=", 1).partition("=")
    # OpenAI writes ViT-B/32, open_clip ViT-B-32.
    model = model.replace("/", "-")
    config = clip_config(model, "" if tag in _ACTIVATIONS else tag)
    state, names = _named_state(source)
    nested = not any(key.startswith("text.") for key in state) and _has_text_module(config)
    table = KeyTable(source.path, _shaped(state), names=names)
    for key in table.keys():
        if key in _SIZES or key.endswith(".position_ids"):
            table.ignore(key, "a size that the model's name tells")
    tensors = take_network(table, partial(OpenClipModel, config), partial(_foreign_name, nested=nested))
    config = dataclasses.replace(config, quick_gelu=_quick_gelu(source, config, tag, model))
    notes = (f"{config.open_clip}{' with the activation of OpenAI' if config.quick_gelu else ''}, reads photos of {config.image_size} px",)
    return Imported("clip", FORMAT, config, tensors, table.report(), notes=notes)


def _quick_gelu(source: Source, config: ClipConfig, tag: str, model: str) -> bool:
    """Whether the weights were trained with OpenAI's activation, which their shapes do not tell.

    Raises:
        ChoiceNeeded: weights of this model exist with either, and neither the file nor the name says with which these were.
    """
    told = _activation_told(source, config, tag)
    if told is None and _has_both(model):
        raise ChoiceNeeded(
            f"{str(source.path)!r}: weights of {model} exist with two activations, and the file does not say which; name it: "
            f"--clip {model}-quickgelu=FILE for OpenAI's, MetaCLIP's and DFN's, --clip {model}:gelu=FILE for LAION's and most others"
        )
    return bool(told)


def _has_both(model: str) -> bool:
    return f"{model}-quickgelu" in open_clip.list_models()


def _activation_told(source: Source, config: ClipConfig, tag: str) -> bool | None:
    """Whether what is beside the weights says that they have OpenAI's activation; None where nothing says anything."""
    if tag in _ACTIVATIONS:
        return tag == "quickgelu"
    # Their archives and state dicts hold sizes beside the weights.
    if config.quick_gelu or source.container == "torchscript" or any(size in _stored_state(source) for size in _SIZES):
        return True
    if tag:
        return False
    beside = activation_beside(source.path)
    return beside == "quick_gelu" if beside else None


def fitting_names(source: Source) -> list[str]:
    """What names a file that was recognised, as --clip takes it: the models of open_clip that have its shapes."""
    state, _ = _named_state(source)
    shapes = {key: tuple(value.shape) for key, value in _shaped(state).items() if isinstance(value, Tensor)}
    names = [name for name in open_clip.list_models() if _fits(name, shapes)]
    ambiguous = {name for name in names if _activation_told(source, clip_config(name), "") is None and _has_both(name)}
    return [f"{name}:gelu" if name in ambiguous else name for name in names]


def _fits(name: str, shapes: dict[str, tuple[int, ...]]) -> bool:
    known = open_clip.get_model_config(name)
    prefix = "" if "ln_final.weight" in shapes else "text."
    width, text = shapes.get(f"{prefix}ln_final.weight"), known["text_cfg"]
    # Building a network takes long; most are ruled out by two numbers.
    embed = shapes.get(f"{prefix}text_projection", (known["embed_dim"],))[-1:]
    if width != (text.get("width"),) or embed != (known["embed_dim"],):
        return False
    try:
        config = clip_config(name)
        with torch.device("meta"):
            wanted = OpenClipModel(config).state_dict()
    except UserError:
        return False
    nested = prefix == "" and _has_text_module(config)
    return all(shapes.get(_foreign_name(key, nested)) == tuple(value.shape) for key, value in wanted.items() if not key.endswith(COUNTER))


def _shaped(state: dict[str, Any]) -> dict[str, Any]:
    """The temperature as a scalar: some files hold it as a vector of one number."""
    scales = {key: state[key] for key in ("logit_scale", "logit_bias") if isinstance(state.get(key), Tensor)}
    return {**state, **{key: value.reshape(()) for key, value in scales.items() if value.numel() == 1}}


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
