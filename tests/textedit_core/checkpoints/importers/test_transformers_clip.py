"""CLIP as transformers saves it, and weights whose activation no file tells: nothing is guessed."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from textedit_core.checkpoints.import_model import import_file, inspect_file
from textedit_core.checkpoints.importers.contract import ChoiceNeeded
from textedit_core.perception.open_clip_model import OpenClipModel

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
NAME = "tiny-of-two-activations"


@pytest.fixture(scope="module", autouse=True)
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A small model that open_clip knows with either activation."""
    for name in (NAME, f"{NAME}-quickgelu"):
        path = tmp_path_factory.mktemp("models") / f"{name}.json"
        path.write_text(json.dumps({**TINY, **({"quick_gelu": True} if name.endswith("quickgelu") else {})}))
        open_clip.add_model_config(path)
    logging.getLogger().setLevel(logging.ERROR)
    yield


def _network(quick: bool) -> nn.Module:
    torch.manual_seed(0)
    return open_clip.create_model(NAME, pretrained=None, load_weights=False, force_quick_gelu=quick).eval()


def _transformers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights by the names and in the shapes of transformers' CLIPModel."""
    renamed: dict[str, Tensor] = {"logit_scale": state["logit_scale"]}
    plain = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
    }
    renamed |= {theirs: state[ours] for ours, theirs in plain.items()}
    renamed |= {"visual_projection.weight": state["visual.proj"].t(), "text_projection.weight": state["text_projection"].t()}
    renamed["text_model.embeddings.position_ids"] = torch.arange(12)[None]
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    for key, value in state.items():
        stem, _, leaf = key.rpartition(".")
        if stem in norms:
            renamed[f"{norms[stem]}.{leaf}"] = value
        match = re.fullmatch(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.*)", key)
        if match is None:
            continue
        layer = f"{'vision' if match[1] else 'text'}_model.encoder.layers.{match[2]}"
        if match[3].startswith("attn.in_proj_"):
            for part, third in zip("qkv", value.chunk(3), strict=True):
                renamed[f"{layer}.self_attn.{part}_proj.{match[3].removeprefix('attn.in_proj_')}"] = third
            continue
        inner = match[3].replace("attn.out_proj", "self_attn.out_proj").replace("c_fc", "fc1").replace("c_proj", "fc2")
        renamed[f"{layer}.{inner.replace('ln_1', 'layer_norm1').replace('ln_2', 'layer_norm2')}"] = value
    return {key: value.contiguous() for key, value in renamed.items()}


def _difference(imported: Any, network: nn.Module) -> float:
    model = OpenClipModel(imported.config)
    model.load_state_dict(imported.tensors)
    image = torch.rand(2, 3, 32, 32, generator=torch.manual_seed(1)) * 2 - 1
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    with torch.no_grad():
        seen = network.encode_image((image / 2 + 0.5 - mean) / std, normalize=True)
        read = network.encode_text(open_clip.get_tokenizer(NAME)(["A smiling face!"]), normalize=True)
        pairs = ((model.eval().encode_image(image), seen), (model.encode_text(["A smiling face!"]), read))
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_transformers_file_gives_the_numbers_of_its_model(activation: str, tmp_path: Path) -> None:
    network = _network(activation == "quick_gelu")
    save_file(_transformers(dict(network.state_dict())), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip", "text_config": {"hidden_act": activation}}))
    imported = import_file(tmp_path / "model.safetensors", "clip", NAME)
    assert _difference(imported, network) < 1e-5
    assert not [key for key in imported.report.ignored if not key.endswith("position_ids")]


@pytest.mark.parametrize(("name", "quick"), [(f"{NAME}-quickgelu", True), (f"{NAME}:quickgelu", True), (f"{NAME}:gelu", False)])
@pytest.mark.parametrize("of_transformers", [True, False])
def test_the_name_tells_the_activation(name: str, quick: bool, of_transformers: bool, tmp_path: Path) -> None:
    network = _network(quick)
    state = dict(network.state_dict())
    torch.save(_transformers(state) if of_transformers else state, tmp_path / "model.bin")
    assert _difference(import_file(tmp_path / "model.bin", "clip", name), network) < 1e-5


def test_an_activation_that_nobody_told_is_asked_for(tmp_path: Path) -> None:
    torch.save(_network(True).state_dict(), tmp_path / "model.pt")
    with pytest.raises(ChoiceNeeded, match=f"--clip {NAME}-quickgelu=FILE for OpenAI's.*--clip {NAME}:gelu=FILE"):
        import_file(tmp_path / "model.pt", "clip", NAME)


def test_sizes_beside_the_weights_are_openais(tmp_path: Path) -> None:
    network = _network(True)
    sizes = {key: torch.tensor(1) for key in ("input_resolution", "context_length", "vocab_size")}
    torch.save({**network.state_dict(), **sizes}, tmp_path / "model.pt")
    assert _difference(import_file(tmp_path / "model.pt", "clip", NAME), network) < 1e-5


def test_a_config_of_something_else_tells_nothing(tmp_path: Path) -> None:
    torch.save(_network(True).state_dict(), tmp_path / "model.pt")
    for text in ("[1]", "{", json.dumps({"model_type": "bert", "text_config": {"hidden_act": "gelu"}})):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ChoiceNeeded, match="exist with two activations"):
            import_file(tmp_path / "model.pt", "clip", NAME)


def test_inspection_proposes_names_that_fit(tmp_path: Path) -> None:
    torch.save(_transformers(dict(_network(True).state_dict())), tmp_path / "model.bin")
    words = inspect_file(tmp_path / "model.bin")
    assert f"--clip {NAME}:gelu=model.bin" in words and f"--clip {NAME}-quickgelu=model.bin" in words and "ViT-B-32" not in words
    state = _network(True).state_dict()
    torch.save({**state, "visual.proj": torch.zeros(64, 17)}, tmp_path / "odd.pt")
    assert "not as clip (open_clip): open_clip knows no model of its shapes" in inspect_file(tmp_path / "odd.pt")
