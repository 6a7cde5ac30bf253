"""ArcFace's recogniser and open_clip's models: files of their formats give their numbers, and nothing is fetched."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import rosinality_state, write_rosinality
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint, inspect_file
from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.checkpoints.importers.detect import detect, open_source
from textedit_core.checkpoints.importers.open_clip_file import clip_config, download_weights
from textedit_core.config import IdentityConfig
from textedit_core.errors import UsageError, UserError
from textedit_core.perception.face_identity import build_identity
from textedit_core.perception.ir_se50 import IRSE50, face_crop
from textedit_core.perception.open_clip_model import OpenClipModel

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection is a failure."""

    def refuse(*_: object) -> None:
        raise AssertionError("this test opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def tiny_name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model that open_clip knows, small enough for tests."""
    path = tmp_path_factory.mktemp("models") / "tiny-for-tests.json"
    path.write_text(json.dumps(TINY))
    open_clip.add_model_config(path)
    yield "tiny-for-tests"


def _network(name: str, quick_gelu: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return open_clip.create_model(name, pretrained=None, load_weights=False, force_quick_gelu=quick_gelu).eval()


def _imported(path: Path, name: str) -> Imported:
    source = open_source(path)
    return detect(source, "clip").read(source, name)


def _differences(imported: Imported, network: nn.Module, name: str) -> tuple[float, float]:
    model = OpenClipModel(imported.config)
    model.load_state_dict(imported.tensors)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    with torch.no_grad():
        seen = network.encode_image((image / 2 + 0.5 - mean) / std, normalize=True)
        read = network.encode_text(open_clip.get_tokenizer(name)(["A smiling face!"]), normalize=True)
        pairs = ((model.eval().encode_image(image), seen), (model.encode_text(["A smiling face!"]), read))
    return tuple(float((mine - theirs).abs().max()) for mine, theirs in pairs)  # type: ignore[return-value]


@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dict_gives_the_numbers_of_its_model(tmp_path: Path, tiny_name: str, prefix: str) -> None:
    network = _network(tiny_name)
    torch.save({"state_dict": {prefix + key: value for key, value in network.state_dict().items()}}, tmp_path / "model.pt")
    imported = _imported(tmp_path / "model.pt", tiny_name)
    assert max(_differences(imported, network, tiny_name)) < 1e-5
    assert (imported.config.embed_dim, imported.config.image_size, imported.config.context_length) == (16, 32, 12)


class _Part(nn.Module):
    """A module with a name and weights, as scripted archives nest them."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _archive(network: nn.Module, path: Path) -> None:
    root = _Part()
    for key, value in network.state_dict().items():
        *steps, leaf = key.split(".")
        part: nn.Module = root
        for step in steps:
            if step not in dict(part.named_children()):
                part.add_module(step, _Part())
            part = part.get_submodule(step)
        part.register_parameter(leaf, nn.Parameter(value.half(), requires_grad=False))
    for size in ("input_resolution", "context_length", "vocab_size"):
        root.register_buffer(size, torch.tensor(1))
    torch.jit.save(torch.jit.script(root), str(path))


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_openai_archive_is_read_without_running_it(tmp_path: Path, tiny_name: str) -> None:
    network = _network(tiny_name, quick_gelu=True)
    _archive(network, tmp_path / "ViT.pt")
    network.load_state_dict({key: value.half().float() for key, value in network.state_dict().items()})
    imported = _imported(tmp_path / "ViT.pt", tiny_name)
    assert imported.config.quick_gelu
    assert set(imported.report.ignored) == {"input_resolution", "context_length", "vocab_size"}
    assert max(_differences(imported, network, tiny_name)) < 1e-5


def test_model_fits_what_editors_use(tmp_path: Path, tiny_name: str) -> None:
    model = OpenClipModel(clip_config(tiny_name)).eval()
    assert model.tokenizer.unknown_words("an old man with zyzzyva hair") == []
    assert [tuple(maps.shape) for maps in model.features(torch.zeros(1, 3, 40, 40))] == [(1, 64, 4, 4)] * 2  # 32 px in patches of 8
    with pytest.raises(UserError, match="needs 15 tokens; this model reads 12: shorten it"):
        model.encode_text(["a b c d e f g h i j k l m"])
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    model.encode_image(image)[:, 0].sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0


def test_wrong_name_is_noticed(tmp_path: Path, tiny_name: str) -> None:
    torch.save(_network(tiny_name).state_dict(), tmp_path / "model.pt")
    with pytest.raises(UserError, match="has the shape .* not "):
        _imported(tmp_path / "model.pt", "ViT-B/32")
    with pytest.raises(UsageError, match="unknown text-image model 'ViT-B-33'; open_clip has:.*ViT-B-32"):
        _imported(tmp_path / "model.pt", "ViT-B-33")
    with pytest.raises(UserError, match="does not say which model it is; give its name: --clip ViT-B-32=model.pt"):
        _imported(tmp_path / "model.pt", "")


def test_model_without_a_name_can_be_looked_at(tmp_path: Path, tiny_name: str) -> None:
    torch.save(_network(tiny_name).state_dict(), tmp_path / "model.pt")
    assert "as clip (open_clip): " in inspect_file(tmp_path / "model.pt")


def test_array_of_latents_is_no_direction(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.zeros((50, 32), np.float32))
    words = inspect_file(tmp_path / "w.npy")
    assert "latents" in words and "as editor (direction): " in words


def test_models_that_need_the_network_are_refused() -> None:
    with pytest.raises(UserError, match="'ViT-B-16-SigLIP' needs a tokenizer or text tower from the network"):
        clip_config("ViT-B-16-SigLIP")
    with pytest.raises(UsageError, match="unknown weights 'nobody'; ViT-B-32 has:.*openai"):
        download_weights("ViT-B-32", "nobody")
    with pytest.raises(UserError, match="'ViT-B-16-SigLIP' needs a tokenizer or text tower from the network"):
        download_weights("ViT-B-16-SigLIP", "webli")


def test_published_weights_bring_their_activation_and_normalisation() -> None:
    # open_clip's table: OpenAI's weights of this model have quick_gelu, LAION's have not.
    assert clip_config("ViT-B-32", "openai").quick_gelu and not clip_config("ViT-B-32", "laion2b_s34b_b79k").quick_gelu
    assert clip_config("ViT-B-32", "openai").image_mean == open_clip.OPENAI_DATASET_MEAN


def test_nothing_is_fetched_unless_asked(tmp_path: Path, tiny_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    torch.save(_network(tiny_name).state_dict(), tmp_path / "fetched.bin")

    def fetch(published: dict[str, object]) -> str:
        asked.append(published)
        return str(tmp_path / "fetched.bin")

    published = {"url": "somewhere", "mean": (0.5,) * 3, "std": (0.25,) * 3, "quick_gelu": True}
    monkeypatch.setattr("open_clip.pretrained.download_pretrained", fetch)
    monkeypatch.setattr("open_clip.pretrained.list_pretrained_tags_by_model", lambda _: ["some_tag"])
    monkeypatch.setattr("open_clip.pretrained.get_pretrained_cfg", lambda *_: published)
    decoder = write_rosinality(tmp_path / "a.pt", rosinality_state())
    request = ImportRequest(tmp_path / "out", decoder=decoder, clip=(tiny_name, Path("some_tag")))
    message = rf"no file 'some_tag' with weights of {tiny_name}; .*--clip {tiny_name}=FILE.*--clip {tiny_name}=TAG --download"
    with pytest.raises(UserError, match=message):
        import_checkpoint(request)
    assert not asked and not request.out.exists()
    checkpoint = import_checkpoint(dataclasses.replace(request, download=True))
    assert asked == [published]
    assert (checkpoint.config.clip.open_clip, checkpoint.config.clip.quick_gelu) == (tiny_name, True)
    assert (checkpoint.config.clip.image_mean, checkpoint.config.clip.image_std) == ((0.5,) * 3, (0.25,) * 3)
    assert checkpoint.provenance["imported"]["clip"]["name"] == f"{tiny_name}=some_tag"


def test_failed_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("open_clip.pretrained.download_pretrained", fail)
    request = ImportRequest(tmp_path / "out", clip=("ViT-B/32", Path("openai")), download=True)
    with pytest.raises(UserError, match="ViT-B-32 openai cannot be downloaded: no route to host"):
        import_checkpoint(request)
    with pytest.raises(UsageError, match="--download fetches a text-image model; name it"):
        import_checkpoint(dataclasses.replace(request, clip=None, decoder=tmp_path / "a.pt"))
    assert list(tmp_path.iterdir()) == []


def test_published_normalisation_is_taken() -> None:
    # MobileCLIP's published weights read plain [0,1].
    assert (clip_config("MobileCLIP-S1").image_mean, clip_config("MobileCLIP-S1").image_std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_recogniser_gives_the_numbers_of_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = IRSE50().eval()
    torch.save(network.state_dict(), tmp_path / "ir_se50.pth")
    source = open_source(tmp_path / "ir_se50.pth")
    imported = detect(source, "identity").read(source, "")
    assert imported.config == IdentityConfig(512, 112, (64, 128, 256, 512), crop_fraction=188 / 256, kind="ir_se50")
    loaded = build_identity(imported.config).eval()
    loaded.load_state_dict(imported.tensors)
    image = torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        assert torch.equal(loaded.embed(image), network.embed(image))
    assert not imported.report.ignored and len(imported.report.used) == len(network.state_dict())


def test_recogniser_sees_the_crop_of_its_users() -> None:
    image = torch.arange(256.0).expand(1, 3, 256, 256)
    # Columns 32 to 219 of 256 px, averaged to 112: the mean stays (32 + 219) / 2.
    assert face_crop(image).mean().item() == pytest.approx(125.5, abs=1e-3)
    doubled = F.interpolate(image, scale_factor=2, mode="nearest")
    assert torch.allclose(face_crop(doubled), face_crop(image))


def test_damaged_recogniser_is_named(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = IRSE50().state_dict()
    state = {key: torch.zeros(()).expand(value.shape) for key, value in shapes.items() if key != "output_layer.4.running_var"}
    torch.save({key: value[:1].clone() if value.ndim else value for key, value in state.items()}, tmp_path / "ir_se50.pth")
    source = open_source(tmp_path / "ir_se50.pth")
    with pytest.raises(UserError, match=r"input_layer.0.weight has the shape \[1, 3, 3, 3\], not \[64, 3, 3, 3\]"):
        detect(source, "identity").read(source, "")
