"""The compositor in a bundle: every target runs it, nothing moves without an edit, prompts come and go around it; it can be left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.amend import add_prompt, remove_prompt
from export.backends import target_names
from export.bundle import open_bundle, read_manifest
from export.bundle_networks import open_networks
from export.manifest import PASTING_VERSION, SCHEMA_VERSION
from export.pipeline import export_bundles
from export.plan import ExportRequest
from export.verification import verify
from tests.export.networks import quiet, stirred, write_checkpoint
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.compositor import Compositor, guides_of
from textedit_core.compositor.network import FLOW, FLOW_UNIT, MASK
from textedit_core.errors import UserError
from textedit_core.face_editor import FaceEditor


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The tests' checkpoint with a compositor of random weights that has something to say."""
    made = write_checkpoint(tmp_path_factory.mktemp("composing"))
    torch.manual_seed(1)
    network = stirred(Compositor(made.config.compositor).eval())
    write_part(made.directory, "compositor", network)
    return write_index(made.directory, made.config, list(made.prompts.values()), made.provenance)


@pytest.fixture(scope="module")
def made(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bundle for each target."""
    out = tmp_path_factory.mktemp("bundles")
    request = ExportRequest("all", ("smile",), checkpoint=checkpoint.directory, out=out, parity_faces=2, calibration_faces=2)
    return {manifest.target: path for path, manifest in export_bundles(request, quiet)}


def _guides(checkpoint: Checkpoint, strength: float) -> torch.Tensor:
    """What the compositor sees of a random face edited so far."""
    eager = CheckpointNetworks(checkpoint)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(5)) * 2 - 1
    w_plus = eager.encode(image)
    edited = w_plus + strength * eager.delta("smile", w_plus)
    return guides_of(image, eager.decode(w_plus), eager.decode(edited), eager.guide_side)


@pytest.mark.parametrize("target", target_names())
def test_every_target_runs_it_and_proves_it(target: str, made: dict[str, Path], checkpoint: Checkpoint) -> None:
    result = verify(made[target])
    part = result.manifest.part("compositor")
    assert result.manifest.schema_version == SCHEMA_VERSION
    assert (part.input.name, part.input.shape, part.output.name, part.output.shape) == ("guides", (1, 9, 32, 32), "fields", (1, 8, 32, 32))
    assert part.undelegated in (None, {}), "every operation is delegated"
    assert "compositor" in result.golden_db and result.manifest.provenance["weights"]["compositor"]
    with open_networks(made[target]) as networks:
        guides = _guides(checkpoint, 1.0)
        ours, theirs = networks.composite(guides), CheckpointNetworks(checkpoint).composite(guides)
        # Planes range over 2; int8 has steps of a hundredth of that.
        assert float((ours - theirs)[:, MASK].abs().max()) < 0.1
        # A tenth of the largest motion.
        assert float((ours - theirs)[:, FLOW].abs().max()) * FLOW_UNIT < 0.1 * checkpoint.config.compositor.max_flow


@pytest.mark.parametrize("target", target_names())
def test_without_an_edit_nothing_moves_in_any_precision(target: str, made: dict[str, Path], checkpoint: Checkpoint) -> None:
    with open_networks(made[target]) as networks:
        fields = networks.composite(_guides(checkpoint, 0.0))
    assert not fields[:, FLOW].any() and not fields[:, MASK].any()


def test_a_bundle_composes_like_its_checkpoint(made: dict[str, Path], checkpoint: Checkpoint) -> None:
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).resize((90, 80), Image.Resampling.BICUBIC)
    with FaceEditor.open(made["onnx"]) as exported, FaceEditor.open(checkpoint.directory) as eager:
        ours, theirs = (np.asarray(editor.photo(photo).edit({"smile": 1.0})).astype(int) for editor in (exported, eager))
        assert np.array_equal(np.asarray(exported.photo(photo).edit({"smile": 0.0})), np.asarray(photo))
    # fp16 weights: 1% of 255 levels.
    assert np.abs(ours - theirs).max() <= 3 and not np.array_equal(ours, np.asarray(photo))


def test_without_compositor_a_bundle_is_of_version_1(checkpoint: Checkpoint, tmp_path: Path) -> None:
    few = {"parity_faces": 2, "calibration_faces": 2}
    request = ExportRequest("onnx", ("smile",), checkpoint=checkpoint.directory, out=tmp_path, compositor=False, **few)
    ((path, manifest),) = export_bundles(request, quiet)
    assert manifest.schema_version == PASTING_VERSION and all(part.part != "compositor" for part in manifest.parts)
    with open_networks(path) as networks:
        assert not networks.has_compositor


def test_prompts_come_and_go_beside_it(made: dict[str, Path], checkpoint: Checkpoint) -> None:
    path = made["onnx"]
    with open_bundle(path) as opened:
        before = {entry.path: entry.sha256 for entry in opened.manifest.files if "compositor" in entry.path or "guides" in entry.path}
    remove_prompt(path, "smile", None)
    add_prompt(path, "smile", checkpoint.directory, None, quiet)
    manifest = read_manifest(path)
    assert [part.part for part in manifest.parts] == ["encoder", "editors/smile", "decoder", "compositor"]
    assert {entry.path: entry.sha256 for entry in manifest.files if entry.path in before} == before
    assert manifest.schema_version == SCHEMA_VERSION and manifest.provenance["weights"]["compositor"]
    verify(path)


def test_another_compositor_is_refused(made: dict[str, Path], checkpoint: Checkpoint, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path)
    torch.manual_seed(2)
    write_part(other.directory, "compositor", stirred(Compositor(other.config.compositor).eval()))
    write_index(other.directory, other.config, list(other.prompts.values()), other.provenance)
    remove_prompt(made["ios"], "smile", None)
    with pytest.raises(UserError, match="has another (encoder or decoder|compositor)"):
        add_prompt(made["ios"], "smile", other.directory, None, quiet)
