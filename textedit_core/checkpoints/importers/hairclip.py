"""HairCLIP's mapper: a .pt with `state_dict`, in which lie the mapper, the text-image model that reads its texts, and a generator.

The texts are fixed when it is imported: what the mapper makes of them becomes constants, and an ordinary editor is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from open_clip.transformer import QuickGELU, TextTransformer
from torch import Tensor
from torch.nn import functional as F

from textedit_core.checkpoints.importers.contract import ChoiceNeeded, Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.training_options import generator_levels
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import EditorConfig
from textedit_core.errors import UserError
from textedit_core.latents import level_groups
from textedit_core.perception.open_clip_model import OpenClipTokenizer

FORMAT = "hairclip"
_MAPPER, _CLIP = "mapper.", "clip_model."
_LAYERS = "modulation_module_list."
# HairCLIP spells the coarse group so.
_GROUPS = {"coarse": "course_mapping", "medium": "medium_mapping", "fine": "fine_mapping"}
# Of a generator of 1024 px.
_DEFAULT_LEVELS = 18
# The slope of torch's leaky ReLU where none is given, and the width of a head of the text-image model.
_SLOPE, _HEAD = 0.01, 64
Weights = dict[str, Tensor]


def _is_mapper(state: Mapping[str, Any]) -> bool:
    return any(f"{_MAPPER}{name}.{_LAYERS}0.fc.weight" in state for name in _GROUPS.values())


def _found(source: Source) -> Found | None:
    return find_network(source.content, ("state_dict", "params", "model"), _is_mapper)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    hair, colour = _texts(source, choice)
    mapper = {key.removeprefix(_MAPPER): value for key, value in found.tensors.items() if key.startswith(_MAPPER)}
    clip = {key.removeprefix(_CLIP): value for key, value in mapper.items() if key.startswith(_CLIP)}
    reader = KeyTable(source.path, clip, f"{found.prefix}{_MAPPER}{_CLIP}")
    texts = _text_vectors(reader, [text for text in (hair, colour) if text])
    table = KeyTable(source.path, {k: v for k, v in mapper.items() if not k.startswith(_CLIP)}, f"{found.prefix}{_MAPPER}")
    config = _config(table, source)
    tensors: Weights = {}
    for group in _GROUPS:
        if getattr(config, group):
            tensors |= _group(table, group, config, texts.get(colour if group == "fine" else hair))
    _ignore_levels_beyond(table, config)
    others = {f"{found.prefix}{key}": "the generator; --decoder imports one" for key in found.tensors if not key.startswith(_MAPPER)}
    report = table.report().joined(reader.report()).joined(KeyReport((), {**others, **found.beside}))
    words = [f"hair style {hair!r}"] * bool(hair) + [f"colour {colour!r}"] * bool(colour)
    note = f"made for {' and '.join(words)}: the texts are fixed, another text is another import"
    return Imported("editor", FORMAT, config, tensors, report, notes=(note,), text=", ".join(text for text in (hair, colour) if text))


def _texts(source: Source, choice: str) -> tuple[str, str]:
    hair, _, colour = (part.strip() for part in choice.partition(";"))
    if not hair and not colour:
        raise ChoiceNeeded(
            f"{str(source.path)!r} is HairCLIP's mapper, which reads a hair style and a colour: name one or both, "
            "--editor 'ID=FILE#bobcut hairstyle;red hair', 'ID=FILE#bobcut hairstyle' or 'ID=FILE#;red hair'"
        )
    return hair, colour


def _config(table: KeyTable, source: Source) -> EditorConfig:
    options = source.content.get("opts")
    num_ws = generator_levels(options if isinstance(options, dict) else {}, ("stylegan_size",), source) or _DEFAULT_LEVELS
    slices = level_groups(num_ws)
    on = {group: f"{name}.{_LAYERS}0.fc.weight" in table and slices[group].stop > slices[group].start for group, name in _GROUPS.items()}
    if not any(on.values()):
        raise UserError(f"{str(source.path)!r} moves none of the {num_ws} levels of the generator that its opts name; is it whole?")
    first = _GROUPS[next(group for group, moves in on.items() if moves)]
    width = table.shape(f"{first}.{_LAYERS}0.fc.weight", 2)[0]
    count = len({key.split(".")[2] for key in table.keys() if key.startswith(f"{first}.{_LAYERS}")})
    return EditorConfig(num_ws, width, width, count, **on, kind="hair_mapper")


def _group(table: KeyTable, group: str, config: EditorConfig, text: Tensor | None) -> Weights:
    """The network of one level group; without a text HairCLIP leaves out modulation and leaky ReLU."""
    width, ours = config.w_dim, f"groups.{group}"
    tensors = {f"{ours}.slope": torch.full((1,), 1.0 if text is None else _SLOPE)}
    for i in range(config.num_blocks):
        theirs = f"{_GROUPS[group]}.{_LAYERS}{i}"
        tensors[f"{ours}.layers.{i}.weight"] = table.take(f"{theirs}.fc.weight", (width, width))
        tensors[f"{ours}.layers.{i}.bias"] = table.take(f"{theirs}.fc.bias", (width,))
        place = f"{ours}.leave" if i == config.num_blocks - 1 else f"{ours}.modulations.{i}"
        tensors[f"{place}.gain"] = 1 + _from_text(table, f"{theirs}.gamma_function", width, text)
        tensors[f"{place}.shift"] = _from_text(table, f"{theirs}.beta_function", width, text)
    return tensors


def _from_text(table: KeyTable, name: str, width: int, text: Tensor | None) -> Tensor:
    """What a linear layer, a norm, a leaky ReLU and a linear layer make of a text float32 [E], [D]; zeros without one."""
    if text is None:
        table.ignore_prefix(f"{name}.", "reads a text, and none was given for its levels")
        return torch.zeros(width)
    hidden = F.linear(text, table.take(f"{name}.0.weight", (width, len(text))), table.take(f"{name}.0.bias", (width,)))
    hidden = F.layer_norm(hidden, (width,), table.take(f"{name}.1.weight", (width,)), table.take(f"{name}.1.bias", (width,)))
    hidden = F.leaky_relu(hidden, _SLOPE)
    return F.linear(hidden, table.take(f"{name}.3.weight", (width, width)), table.take(f"{name}.3.bias", (width,)))


def _ignore_levels_beyond(table: KeyTable, config: EditorConfig) -> None:
    for group, name in _GROUPS.items():
        if not getattr(config, group):
            table.ignore_prefix(f"{name}.", f"a generator of {config.num_ws} levels has no {group} ones")


@torch.no_grad()
def _text_vectors(table: KeyTable, texts: list[str]) -> Weights:
    """The texts' embeddings float32 [E] by the file's own text-image model, not normalised, as HairCLIP reads them."""
    table.ignore_prefix("visual.", "reads pictures, of which none is needed")
    context, width = table.shape("positional_embedding", 2)
    layers = sum(key.endswith(".ln_1.weight") and key.startswith("transformer.") for key in table.keys())
    vocabulary, embed = table.shape("token_embedding.weight", 2)[0], table.shape("text_projection", 2)[1]
    for key in ("logit_scale", "input_resolution", "context_length", "vocab_size"):
        if key in table:
            table.ignore(key, "not needed to read a text")
    if width % _HEAD:
        raise UserError(f"the text-image model in HairCLIP's file has the width {width}, which is none of OpenAI's models")

    def build() -> TextTransformer:
        heads = width // _HEAD
        return TextTransformer(context, vocabulary, width, heads, layers, output_dim=embed, act_layer=QuickGELU)

    reader = build().eval()
    reader.load_state_dict(take_network(table, build, lambda key: key))
    vectors = reader(OpenClipTokenizer(context).encode(texts)).float()
    return dict(zip(texts, vectors, strict=True))


IMPORTER = Importer(FORMAT, "editor", _recognises, _read, takes_choice=True)
