"""An imported encoder, its generator, mappers and a text-image model work wherever a model of this project does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch import Tensor

from export.fold import fold
from tests.textedit_core.checkpoints.importers import pyramid_file
from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import W_DIM, render, rosinality_state
from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.alignment import FFHQ_CROP, crop_face
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index, write_part
from textedit_core.config import tiny
from textedit_core.face_editor import FaceEditor
from textedit_core.perception.face_identity import IdentityNet
from textedit_core.prompts import Prompt
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.editor_stage import STAGE, EditorStage
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train

LEVELS = pyramid_file.LEVELS
CLIP = """{"embed_dim": 16, "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
"text_cfg": {"width": 16, "heads": 2, "layers": 1, "context_length": 16}}"""


def _mapper_file(path: Path) -> Path:
    draw = torch.Generator().manual_seed(1)
    state: dict[str, Tensor] = {}
    for group in ("course", "medium"):
        for layer in range(1, 5):
            state[f"mapper.{group}_mapping.mapping.{layer}.weight"] = torch.randn(W_DIM, W_DIM, generator=draw) * 100
            state[f"mapper.{group}_mapping.mapping.{layer}.bias"] = torch.zeros(W_DIM)
    options = {"mapper_type": "LevelsMapper", "stylegan_size": 32, "no_fine_mapper": True, "description": "an angry face"}
    torch.save({"state_dict": state, "opts": options}, path)
    return path


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Everything of one model, each part from a file of its format; the encoder's file holds the generator."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "tiny-for-models.json").write_text(CLIP)
    open_clip.add_model_config(folder / "tiny-for-models.json")
    saved = pyramid_file.content()
    saved["state_dict"] |= {f"decoder.{key}": value for key, value in rosinality_state().items()}
    torch.save(open_clip.create_model("tiny-for-models", pretrained=None, load_weights=False).state_dict(), folder / "clip.pt")
    np.save(folder / "old.npy", np.random.default_rng(0).normal(size=(1, W_DIM)).astype(np.float32))
    request = ImportRequest(
        folder / "run" / "checkpoint",
        encoder=pyramid_file.write(folder / "e4e.pt", saved),
        clip=("tiny-for-models", folder / "clip.pt"),
        editors={"angry": _mapper_file(folder / "angry.pt"), "old": folder / "old.npy"},
    )
    checkpoint = import_checkpoint(request)
    # The recogniser stays this project's small one, since IR-SE50 comes in one size.
    write_part(checkpoint.directory, "identity", IdentityNet(tiny().identity))
    config = dataclasses.replace(checkpoint.config, identity=tiny().identity)
    return write_index(checkpoint.directory, config, list(checkpoint.prompts.values()), checkpoint.provenance)


def test_parts_open_and_give_the_numbers_of_their_files(imported: Checkpoint) -> None:
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    w_plus = imported.load_encoder()(image)
    saved = pyramid_file.content()
    assert (w_plus - pyramid_file.answer(saved, image)).abs().max() < 1e-4
    assert (imported.load_decoder()(w_plus) - render(rosinality_state(), w_plus)).abs().max() < 1e-3
    assert (imported.prompts["angry"].text, imported.prompts["angry"].groups) == ("an angry face", ("coarse", "medium"))
    assert imported.load_clip().encode_text(["an angry face"]).shape == (1, 16)


def test_photo_is_edited_by_imported_editors(imported: Checkpoint) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    session = FaceEditor.open(imported.directory).photo(photo)
    plain = np.asarray(session.reconstruct_crop())
    assert all((np.asarray(session.edit_crop({prompt: None})) != plain).any() for prompt in ("angry", "old"))
    assert (np.asarray(session.edit_crop({"angry": 0.0})) == plain).all()


def test_photo_is_cut_out_as_the_encoder_was_trained(imported: Checkpoint) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    landmarks = [[80, 90], [120, 90], [100, 110], [88, 130], [112, 130]]
    session = FaceEditor.open(imported.directory).photo(photo, landmarks)
    crop, _ = crop_face(photo, landmarks, 32, FFHQ_CROP)
    with torch.inference_mode():
        w_plus = imported.load_encoder()(imported.config.pixel.to_tensor(crop))
        expected = imported.config.pixel.to_uint8(imported.load_decoder()(w_plus))[0].permute(1, 2, 0)
    assert (np.asarray(session.reconstruct_crop()) == expected.numpy()).all()


def test_editor_is_trained_on_imported_networks(imported: Checkpoint, tmp_path: Path) -> None:
    pace = LoopConfig(images=8, batch_size=4, warmup_images=4, sample_images=8, device="cpu")
    torch.manual_seed(0)
    faces, prompt = (FacesInMemory(8), FacesInMemory(2, seed=1)), Prompt("smile", "a smile", "a face")
    stage = EditorStage(prompt, EditorTraining(views=1), *faces, 4, imported, cache=tmp_path)
    run(stage, pace, tmp_path)
    assert stage.prompt.editor is None and (imported.directory / "editors" / "smile.safetensors").is_file()


def test_training_goes_on_from_the_imported_model_whatever_the_preset(imported: Checkpoint, noise_dataset: Path) -> None:
    pace = LoopConfig(images=8, batch_size=8, warmup_images=4, sample_images=8, device="cpu")
    recipe = EditorTraining(views=1, completion=0.0)
    prompt = Prompt("laugh", "a laugh", "a face")
    train(TrainRequest(STAGE, "mobile_256", noise_dataset, imported.directory.parent, pace, {"editor": recipe}, prompt))
    checkpoint = open_checkpoint(imported.directory)
    assert {"angry", "old", "laugh"} <= set(checkpoint.prompts)
    w_plus = torch.randn(1, LEVELS, W_DIM)
    assert checkpoint.load_editor("laugh")(w_plus).shape == checkpoint.load_editor("angry")(w_plus).shape == w_plus.shape


@pytest.mark.parametrize("part", ["encoder", "angry", "old"])
def test_folding_keeps_what_imported_networks_do(imported: Checkpoint, part: str) -> None:
    load: dict[str, Callable[[], torch.nn.Module]] = {"encoder": imported.load_encoder}
    network = load.get(part, lambda: imported.load_editor(part))()
    # ONNX refuses a weight that is called like the graph's input or output.
    assert not {"image", "w_plus", "delta_w"} & set(network.state_dict())
    example = torch.rand(1, 3, 32, 32) if part == "encoder" else torch.randn(1, LEVELS, W_DIM)
    folded = fold(network, example)
    with torch.no_grad():
        assert (folded(example) - network(example)).abs().max() < 1e-4
    # What XNNPACK leaves to the portable interpreter.
    assert torch.ops.aten.max_pool2d.default not in [node.target for node in folded.graph.nodes]
