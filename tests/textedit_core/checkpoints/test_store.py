"""Checkpoints: what is written is read back, and nothing damaged, foreign or dangerous is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from textedit_core.checkpoints.store import Checkpoint, initialise_index, open_checkpoint, save_weights, write_index, write_part
from textedit_core.config import preset
from textedit_core.decoder import build_decoder
from textedit_core.errors import UsageError, UserError
from textedit_core.prompts import Prompt


def _rewrite_index(checkpoint: Checkpoint, change: Callable[[dict[str, Any]], object]) -> None:
    path = checkpoint.directory / "checkpoint.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


def test_round_trip_keeps_config_prompts_and_provenance(tiny_checkpoint: Checkpoint) -> None:
    again = open_checkpoint(tiny_checkpoint.directory)
    assert again == tiny_checkpoint
    assert again.config == preset("tiny")
    assert again.prompts["smile"] == Prompt("smile", "a girl with smile face", "a girl with neutral face", {"en": "Smile"})
    assert again.provenance == {"licence": "CC0-1.0"}


def test_matrices_are_stored_in_half_and_vectors_in_full_precision(tmp_path: Path) -> None:
    # 1e-8 is below the smallest fp16 number, 2^-24 = 6e-8: a batch-norm variance of that size must survive.
    tensors = {"weight": torch.full((2, 2), 1.0 + 2**-12), "running_var": torch.full((2,), 1e-8), "num_batches_tracked": torch.tensor(3)}
    save_weights(tensors, tmp_path / "part.safetensors")
    stored = load_file(str(tmp_path / "part.safetensors"))
    assert {name: value.dtype for name, value in stored.items()} == {
        "weight": torch.float16,
        "running_var": torch.float32,
        "num_batches_tracked": torch.int64,
    }
    assert torch.equal(stored["weight"].float(), torch.ones(2, 2))
    assert torch.equal(stored["running_var"], tensors["running_var"])


def test_parts_come_back_in_fp32_ready_for_inference(tiny_checkpoint: Checkpoint) -> None:
    torch.manual_seed(0)
    original = build_decoder(tiny_checkpoint.config.decoder)
    write_part(tiny_checkpoint.directory, "decoder", original)
    write_index(tiny_checkpoint.directory, tiny_checkpoint.config, [], {})
    loaded = open_checkpoint(tiny_checkpoint.directory).load_decoder()
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, original.state_dict()[name], rtol=2**-10, atol=1e-6)  # fp16 has 11 significant bits


def test_every_part_opens(tiny_checkpoint: Checkpoint) -> None:
    image = torch.zeros(1, 3, 32, 32)
    w_plus = tiny_checkpoint.load_encoder()(image)
    assert tiny_checkpoint.load_editor("smile")(w_plus).shape == w_plus.shape == (1, 6, 16)
    assert tiny_checkpoint.load_decoder()(w_plus).shape == image.shape
    assert tiny_checkpoint.load_mapping()(torch.zeros(1, 8)).shape == (1, 16)
    assert tiny_checkpoint.load_clip().encode_text(["photo"]).shape == (1, 16)
    assert tiny_checkpoint.load_identity().embed(image).shape == (1, 16)


def test_faces_are_listed_by_split(tiny_checkpoint: Checkpoint) -> None:
    assert [path.name for path in tiny_checkpoint.faces("heldout")] == ["000.jpg", "001.jpg"]
    assert tiny_checkpoint.faces("training") == []


def test_equal_weights_give_equal_bytes_and_ids(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    decoder = tiny_checkpoint.load_decoder()
    paths = [write_part(tmp_path / name, "decoder", decoder) for name in ("first", "second")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    checkpoints = [write_index(path.parent, tiny_checkpoint.config, [], {}) for path in paths]
    assert checkpoints[0].checkpoint_id == checkpoints[1].checkpoint_id != tiny_checkpoint.checkpoint_id


def test_one_damaged_byte_is_noticed(tiny_checkpoint: Checkpoint) -> None:
    path = tiny_checkpoint.directory / "encoder.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"encoder.safetensors' is damaged.*restore the file"):
        tiny_checkpoint.load_encoder()


def test_damaged_face_is_noticed(tiny_checkpoint: Checkpoint) -> None:
    (tiny_checkpoint.directory / "faces" / "heldout" / "001.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="001.jpg' is damaged"):
        tiny_checkpoint.faces("heldout")


def test_missing_part_is_named(tiny_checkpoint: Checkpoint) -> None:
    (tiny_checkpoint.directory / "mapping.safetensors").unlink()
    with pytest.raises(UserError, match="has no mapping.safetensors"):
        tiny_checkpoint.load_mapping()


def test_weights_of_another_config_are_refused(tiny_checkpoint: Checkpoint) -> None:
    _rewrite_index(tiny_checkpoint, lambda index: index["config"]["editor"].update(hidden_dim=9))
    with pytest.raises(UserError, match="smile.safetensors' has another shape for .*made for another config"):
        open_checkpoint(tiny_checkpoint.directory).load_editor("smile")
    _rewrite_index(tiny_checkpoint, lambda index: index["config"]["editor"].update(hidden_dim=8, num_blocks=2))
    with pytest.raises(UserError, match="lacks groups.coarse.blocks.1"):
        open_checkpoint(tiny_checkpoint.directory).load_editor("smile")


def test_unknown_prompt_names_those_that_exist(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(UsageError, match="^unknown prompt 'smlie'; this checkpoint has: child, smile$"):
        tiny_checkpoint.load_editor("smlie")


def test_folder_without_index_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no checkpoint: it has no checkpoint.json"):
        open_checkpoint(tmp_path)


def test_another_format_version_is_refused(tiny_checkpoint: Checkpoint) -> None:
    _rewrite_index(tiny_checkpoint, lambda index: index.update(format_version=2))
    with pytest.raises(UserError, match="format_version 2; this version reads 1"):
        open_checkpoint(tiny_checkpoint.directory)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format_version": 1}', '{"format_version": 1, "prompts": [{"id": "x"}]}'])
def test_damaged_index_is_one_line(tiny_checkpoint: Checkpoint, text: str) -> None:
    (tiny_checkpoint.directory / "checkpoint.json").write_text(text)
    with pytest.raises(UserError, match="checkpoint.json") as caught:
        open_checkpoint(tiny_checkpoint.directory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "editors/../../x", "a//b", "", ".hidden", "a\\b", "C:x"])
def test_names_that_could_leave_the_folder_are_refused(tiny_checkpoint: Checkpoint, name: str) -> None:
    _rewrite_index(tiny_checkpoint, lambda index: index["files"].update({name: {"bytes": 0, "sha256": ""}}))
    with pytest.raises(UserError, match="could leave the folder"):
        open_checkpoint(tiny_checkpoint.directory)


def test_prompt_ids_are_checked_like_file_names(tiny_checkpoint: Checkpoint) -> None:
    _rewrite_index(tiny_checkpoint, lambda index: index["prompts"][0].update(id="../smile"))
    with pytest.raises(UserError, match="could leave the folder"):
        open_checkpoint(tiny_checkpoint.directory)


def test_file_behind_a_link_is_not_silently_another(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tiny_checkpoint.directory / "encoder.safetensors"
    (tmp_path / "elsewhere").write_bytes(b"other weights")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="damaged"):
        tiny_checkpoint.load_encoder()


def test_failed_write_leaves_the_old_part(tiny_checkpoint: Checkpoint) -> None:
    path = tiny_checkpoint.directory / "decoder.safetensors"
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        save_weights({"weight": "not a tensor"}, path)  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert not list(tiny_checkpoint.directory.glob(".*"))


def test_starting_in_a_folder_of_another_model_is_refused(tiny_checkpoint: Checkpoint) -> None:
    assert initialise_index(tiny_checkpoint.directory, preset("tiny")) == tiny_checkpoint
    with pytest.raises(UserError, match="holds a tiny model of another config"):
        initialise_index(tiny_checkpoint.directory, preset("mobile_256"))
