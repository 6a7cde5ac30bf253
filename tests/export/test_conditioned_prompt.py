"""Prompts that the text-conditioned editor serves: one network for all, and a vector for each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.__main__ import main
from export.amend import add_prompt, remove_prompt
from export.backends import resolve_backends, target_names
from export.bundle import open_bundle, seal
from export.bundle_files import walk_files
from export.bundle_networks import open_networks
from export.cost import read_costs
from export.fold import fold
from export.graphs import TEXT_EDITOR, example_input, graph_spec
from export.manifest import Manifest, PromptEntry
from export.networks import Networks, load
from export.parity import psnr_db
from export.pipeline import export_bundles, make_part
from export.plan import ExportRequest, Plan
from export.samples import collect
from export.vectors import editor_input, read_text
from export.verification import load_part, verify
from tests.contracts.trust import write_manifest
from tests.export.conftest import BuildBundle
from tests.export.networks import quiet, write_text_checkpoint
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UserError
from textedit_core.face_editor import FaceEditor

# The tiny model's texts take two rows of 16 numbers.
VECTOR_BYTES = 2 * 16 * 4


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random checkpoint with a text-conditioned editor."""
    return write_text_checkpoint(tmp_path_factory.mktemp("text-checkpoint"))


@pytest.fixture(scope="module")
def bundles(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> BuildBundle:
    """Gives the path of a target's bundle with the vector prompts `sketch` and `drawn`; not to be changed."""
    folder, made = tmp_path_factory.mktemp("text-bundles"), {}

    def build(target: str) -> Path:
        if target not in made:
            request = ExportRequest(target, ("sketch", "drawn"), checkpoint.directory, out=folder, parity_faces=2, calibration_faces=2)
            ((made[target], _),) = export_bundles(request, quiet)
        return made[target]

    return build


@pytest.fixture(scope="module")
def networks(checkpoint: Checkpoint) -> Networks:
    """The networks of two vector prompts with their samples."""
    return load(checkpoint, ("sketch", "drawn"), calibration_faces=2, parity_faces=2)


def eager(checkpoint: Checkpoint, prompt: str, w_plus: torch.Tensor) -> torch.Tensor:
    """The text-conditioned editor's own answer."""
    return checkpoint.load_text_editor()(w_plus, checkpoint.text_vector(prompt).expand(len(w_plus), -1))


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a bundle but those that tell of all others."""
    return {name: (path / name).read_bytes() for name in walk_files(path) if name not in ("bundle.json", "report.html")}


@pytest.mark.parametrize("target", target_names())
def test_a_bundle_holds_one_network_and_a_vector_for_each_text(target: str, checkpoint: Checkpoint, bundles: BuildBundle) -> None:
    path = bundles(target)
    (backend,) = resolve_backends(target)
    result = verify(path)
    assert [part.part for part in result.manifest.parts] == ["encoder", "text_editor", "decoder"] == list(result.golden_db)
    part = result.manifest.part(TEXT_EDITOR)
    assert (part.input.name, part.input.shape, part.output.name, part.output.shape) == ("w_plus_text", (1, 8, 16), "delta_w", (1, 6, 16))
    assert part.file == f"models/text_editor{backend.suffix}" and part.undelegated in (None, {})
    w_plus = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    with open_bundle(path) as opened:
        run = load_part(opened, TEXT_EDITOR)
        assert [(prompt.id, prompt.part, prompt.file, prompt.vector) for prompt in opened.manifest.prompts] == [
            (name, "text_editor", part.file, f"vectors/{name}.f32") for name in ("sketch", "drawn")
        ]
        for prompt in opened.manifest.prompts:
            assert opened.file(str(prompt.vector)).stat().st_size == VECTOR_BYTES
            answer = run(editor_input(w_plus, read_text(opened.root, opened.manifest, prompt)))
            assert psnr_db(eager(checkpoint, prompt.id, w_plus), answer) >= backend.precisions[part.precision].floor_db, prompt.id
        (cost,) = (cost for cost in read_costs(opened.root) if cost.part == TEXT_EDITOR)
    assert cost.delegates == (1 if target == "android" else None)


@pytest.mark.parametrize(
    ("target", "precision"), [("android", "auto"), ("android", "fp32"), ("ios", "w8a8"), ("ios", "palette6"), ("onnx", "int8")]
)
def test_other_precisions_pass_their_floor(target: str, precision: str, networks: Networks, tmp_path: Path) -> None:
    spec = graph_spec(TEXT_EDITOR, networks.checkpoint.config)
    plan = Plan(resolve_backends(target)[0], precision, "tiny", networks.prompts, (spec,), tmp_path)
    made = make_part(plan, spec, networks, fold(networks.modules[TEXT_EDITOR], example_input(spec)), tmp_path, quiet)
    entry, cost = made.entry, made.cost
    assert entry.parity.psnr_db >= entry.parity.floor_db and entry.undelegated in (None, {}) and cost.delegates in (None, 1)


def test_the_first_layers_see_the_text_once(networks: Networks) -> None:
    spec = graph_spec(TEXT_EDITOR, networks.checkpoint.config)
    graph = fold(networks.modules[TEXT_EDITOR], example_input(spec))
    linear = [node.meta["val"].shape for node in graph.graph.nodes if node.target == torch.ops.aten.linear.default]
    # The text of both groups at once; then per group, of four and of two levels: in from w_plus, one block, out.
    assert sorted(shape[1] for shape in linear) == [1, 2, 2, 2, 4, 4, 4]


def test_every_text_meets_a_face_and_the_count_stays_that_of_the_larger(checkpoint: Checkpoint) -> None:
    texts = [torch.full((2, 16), float(number)) for number in range(5)]
    encoder = checkpoint.load_encoder()
    for given, count in ((texts[:3], 4), (texts, 5)):
        pairs = collect(checkpoint, "heldout", 4, encoder, [], given).inputs(TEXT_EDITOR)
        assert [pair.shape for pair in pairs] == [(1, 8, 16)] * count
        assert {float(pair[0, -1, -1]) for pair in pairs} == {float(text[0, 0]) for text in given}


def test_plan_names_the_network_once(checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--target", "onnx", "--prompts", "sketch,smile,drawn", "--checkpoint", str(checkpoint.directory), "--dry-run", "--json"]
    assert main(flags) == 0
    (plan,) = json.loads(capsys.readouterr().out)["plan"]
    assert [part["part"] for part in plan["parts"]] == ["encoder", "text_editor", "editors/smile", "decoder"]
    assert all(part["bytes"] > 0 for part in plan["parts"])


def test_edit_and_report_use_the_vector(checkpoint: Checkpoint, bundles: BuildBundle) -> None:
    path = bundles("onnx")
    w_plus = torch.randn(3, 6, 16, generator=torch.Generator().manual_seed(0))
    with open_networks(path) as networks:
        for name in ("sketch", "drawn"):
            assert psnr_db(eager(checkpoint, name, w_plus), networks.delta(name, w_plus)) > 45.0
        session = FaceEditor(networks).photo(Image.effect_noise((40, 40), 40).convert("RGB"))
        assert session.edit({"sketch": None}).tobytes() != session.edit({"drawn": None}).tobytes()
    page = (path / "report.html").read_text("utf8")
    assert page.count("data:image/jpeg;base64,") == 2 * 2 * 5 and page.count("a vector for text_editor") == 2


def test_a_prompt_more_is_a_vector_more(checkpoint: Checkpoint, bundles: BuildBundle, tmp_path: Path) -> None:
    path = Path(shutil.copytree(bundles("onnx"), tmp_path / "copy.textedit"))
    before = contents(path)
    grown = add_prompt(path, "cartoon", checkpoint.directory, None, quiet)
    after = contents(path)
    assert set(after) - set(before) == {"vectors/cartoon.f32"} and len(after["vectors/cartoon.f32"]) == VECTOR_BYTES
    assert {name: after[name] for name in before} == before
    assert [prompt.id for prompt in grown.prompts] == ["sketch", "drawn", "cartoon"]
    assert "cartoon" in (path / "report.html").read_text("utf8")
    verify(path)
    remove_prompt(path, "cartoon", None)
    assert contents(path) == before


def test_the_network_comes_with_the_first_vector_and_goes_with_the_last(checkpoint: Checkpoint, tmp_path: Path) -> None:
    request = ExportRequest("onnx", ("smile",), checkpoint.directory, out=tmp_path, parity_faces=2, calibration_faces=2)
    ((path, plain),) = export_bundles(request, quiet)
    before = contents(path)
    grown = add_prompt(path, "drawn", checkpoint.directory, None, quiet)
    added = {"models/text_editor.onnx", "vectors/drawn.f32", "golden/text_editor.f32", "golden/w_plus_text.f32"}
    assert set(contents(path)) - set(before) == added
    assert [part.part for part in grown.parts] == ["encoder", "editors/smile", "text_editor", "decoder"]
    assert grown.provenance["weights"]["text_editor"] == checkpoint.files["text_editor.safetensors"]["sha256"]
    assert set(verify(path).golden_db) == {"encoder", "editors/smile", "text_editor", "decoder"}
    # The golden case outlives the prompt whose text it holds.
    add_prompt(path, "sketch", checkpoint.directory, None, quiet)
    remove_prompt(path, "drawn", None)
    assert set(contents(path)) - set(before) == added - {"vectors/drawn.f32"} | {"vectors/sketch.f32"}
    verify(path)
    shrunk = remove_prompt(path, "sketch", None)
    assert contents(path) == before and shrunk.provenance == plain.provenance
    verify(path)


def test_another_text_editor_is_refused(checkpoint: Checkpoint, bundles: BuildBundle, tmp_path: Path) -> None:
    other = shutil.copytree(checkpoint.directory, tmp_path / "other")
    index = json.loads((other / "checkpoint.json").read_text())
    index["files"]["text_editor.safetensors"]["sha256"] = "0" * 64
    (other / "checkpoint.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="has another text-conditioned editor than the bundle"):
        add_prompt(bundles("onnx"), "cartoon", other, None, quiet)


def _vector(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Manifest], Manifest]:
    def damage(path: Path, manifest: Manifest) -> Manifest:
        numbers = np.frombuffer((path / "vectors/sketch.f32").read_bytes(), "<f4")
        (path / "vectors/sketch.f32").write_bytes(change(numbers.copy()).astype("<f4").tobytes())
        return manifest

    return damage


def _entry(change: Callable[[PromptEntry], PromptEntry]) -> Callable[[Path, Manifest], Manifest]:
    return lambda path, manifest: replace(manifest, prompts=(change(manifest.prompts[0]), *manifest.prompts[1:]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_vector(lambda numbers: numbers[:-1]), rf"sketch\.f32 has {VECTOR_BYTES - 4} bytes; shape \[2, 16\] takes {VECTOR_BYTES}"),
        (_vector(lambda numbers: np.append(numbers, 0.0)), rf"sketch\.f32 has {VECTOR_BYTES + 4} bytes"),
        (_vector(lambda numbers: np.where(np.arange(32) == 5, np.nan, numbers)), r"vectors/sketch\.f32 holds a number that is not finite"),
        (_vector(lambda numbers: np.where(np.arange(32) == 5, -np.inf, numbers)), "not finite"),
        (_entry(lambda prompt: replace(prompt, vector=None)), "vector None for prompt 'sketch' of part text_editor"),
        (_entry(lambda prompt: replace(prompt, vector="vectors/gone.f32")), r"vector vectors/gone\.f32 for prompt 'sketch'"),
        (_entry(lambda prompt: replace(prompt, part="decoder", file="models/decoder.onnx")), "null to any other part"),
    ],
)
def test_a_damaged_vector_is_refused(
    damage: Callable[[Path, Manifest], Manifest], message: str, bundles: BuildBundle, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(bundles("onnx"), tmp_path / "copy.textedit"))
    with open_bundle(path) as opened:
        manifest = opened.manifest
    damaged = damage(path, manifest)
    with pytest.raises(UserError, match=message):
        seal(path, damaged)
    write_manifest(path, damaged)
    with pytest.raises(UserError, match=message) as caught, open_bundle(path):
        pass
    assert "\n" not in str(caught.value)


def test_a_calibration_that_is_no_number_is_refused_before_lowering(tmp_path: Path) -> None:
    broken = write_text_checkpoint(tmp_path / "checkpoint", calibration=float("nan"))
    request = ExportRequest("onnx", ("sketch",), broken.directory, out=tmp_path / "out")
    with pytest.raises(UserError, match=r"vectors/sketch\.f32 holds a number that is not finite"):
        export_bundles(request, quiet)
    assert not (tmp_path / "out").exists()
