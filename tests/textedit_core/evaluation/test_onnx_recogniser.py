"""ONNX recognisers of insightface's form: what they see, what is refused before the runtime, and their column in a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from textedit_core.alignment import ARCFACE_TEMPLATE, FFHQ_CROP, landmark_template
from textedit_core.checkpoints.import_model import inspect_file
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UserError
from textedit_core.evaluation import EvaluateRequest, evaluate_with, format_report
from textedit_core.evaluation.onnx_recogniser import open_recogniser

NUMBERS = 512


def _model(batch: Any = "None", side: int = 112, normalises: bool = False, inputs: int = 1) -> onnx.ModelProto:
    """A graph with the names and the form of w600k_r50.onnx, small: pooled to 4 x 4, one linear layer of fixed random weights."""
    draw = np.random.default_rng(0)
    weights = [numpy_helper.from_array(draw.normal(size=(48, NUMBERS)).astype(np.float32), "weight")]
    nodes, x = [], "input.1"
    if normalises:
        weights += [numpy_helper.from_array(np.float32(value), name) for name, value in (("mean", 127.5), ("factor", 1 / 127.5))]
        nodes = [helper.make_node("Sub", ["input.1", "mean"], ["centred"]), helper.make_node("Mul", ["centred", "factor"], ["scaled"])]
        x = "scaled"
    nodes += [
        helper.make_node("AveragePool", [x], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["683"]),
    ]
    names = [helper.make_tensor_value_info(f"input.{k + 1}", TensorProto.FLOAT, [batch, 3, side, side]) for k in range(inputs)]
    # insightface's own files say 1 here, whatever the batch.
    answer = helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, NUMBERS])
    graph = helper.make_graph(nodes, "recogniser", names, [answer], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def _saved(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def _faces(count: int, size: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_answer_is_the_graphs_on_a_plain_face(tmp_path: Path) -> None:
    face = torch.tensor([255, 0, 51], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(1, 3, 64, 64)
    found = open_recogniser(_saved(tmp_path / "r.onnx", _model())).embed(face)
    # One colour everywhere is the same after any cut: (255 - 127.5) / 127.5 = 1, (0 - 127.5) / 127.5 = -1, (51 - 127.5) / 127.5 = -0.6.
    weight = numpy_helper.to_array(_model().graph.initializer[0]).astype(np.float64)
    expected = np.repeat([1.0, -1.0, -0.6], 16) @ weight
    assert found == pytest.approx((expected / np.linalg.norm(expected))[None], abs=1e-6)


@pytest.mark.parametrize("settings", [{"batch": 1}, {"normalises": True}])
def test_other_forms_of_the_same_network_agree(tmp_path: Path, settings: dict[str, Any]) -> None:
    plain = open_recogniser(_saved(tmp_path / "a.onnx", _model())).embed(_faces(3))
    other = open_recogniser(_saved(tmp_path / "b.onnx", _model(**settings))).embed(_faces(3))
    assert plain.shape == (3, NUMBERS) and np.linalg.norm(plain, axis=1) == pytest.approx(1.0)
    assert other == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("landmarks", [None, landmark_template(FFHQ_CROP)])
def test_landmarks_come_to_lie_on_arcfaces_template(tmp_path: Path, landmarks: np.ndarray | None) -> None:
    seen: list[np.ndarray] = []
    recogniser = open_recogniser(_saved(tmp_path / "r.onnx", _model()))
    given = {} if landmarks is None else {"landmarks": landmarks}
    points = landmark_template(FFHQ_CROP) if landmarks is not None else np.array([[0.375, 0.5], [0.625, 0.5]])
    image = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    for x, y in points[:2] * 256:  # a dot of 9 px on each eye
        image[..., round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5] = 255

    def look(faces: np.ndarray) -> np.ndarray:
        seen.append(faces)
        return np.ones((1, NUMBERS), np.float32)

    dataclasses.replace(recogniser, run=look).embed(image, **given)
    left, right = seen[0][0, 0, :, :56] + 1, seen[0][0, 0, :, 56:] + 1
    rows, columns = np.mgrid[:112, :56] + 0.5
    for half, offset, eye in ((left, 0, ARCFACE_TEMPLATE[0]), (right, 56, ARCFACE_TEMPLATE[1])):
        centre = np.array([(half * (columns + offset)).sum(), (half * rows).sum()]) / half.sum()
        # Five points of two different faces cannot all meet under a similarity; the eyes do within 2 of 112 px.
        assert centre == pytest.approx(np.array(eye) * 112, abs=2.0)


def _cut_short(path: Path) -> Path:
    saved = _saved(path, _model())
    saved.write_bytes(saved.read_bytes()[:-100])
    return saved


def _elsewhere(path: Path) -> Path:
    model = _model()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    return _saved(path, model)


def _elsewhere_in_a_branch(path: Path) -> Path:
    model = _model()
    branch = helper.make_graph([], "branch", [], [], [_model().graph.initializer[0]])
    branch.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.node.append(helper.make_node("If", ["683"], ["never"], then_branch=branch, else_branch=branch))
    return _saved(path, model)


def _bomb(path: Path) -> Path:
    model = _model()
    model.graph.initializer[0].dims[0] = 1 << 40
    return _saved(path, model)


def _broken(path: Path) -> Path:
    model = _model()
    model.graph.node[0].op_type = "NoSuchOperation"
    return _saved(path, model)


def _text(path: Path) -> Path:
    path.write_bytes(b"\xff" * 64)
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_cut_short, "is no whole ONNX file; is it cut short"),
        (_text, "is no whole ONNX file"),
        (lambda path: path, "cannot be read: No such file"),
        (lambda path: _saved(path, onnx.ModelProto()), "holds no network"),
        (_elsewhere, "keeps 'weight' in another file"),
        (_elsewhere_in_a_branch, "keeps 'weight' in another file"),
        (_bomb, r"'weight' claims the shape \[1099511627776, 512\], more than the file holds"),
        (_broken, "ONNX Runtime refuses recogniser .*NoSuchOperation"),
        (lambda path: _saved(path, _model(side=128)), r"is of the form \[\[None, 3, 128, 128\]\] -> "),
        (lambda path: _saved(path, _model(batch=4)), r"is of the form \[\[4, 3, 112, 112\]\] -> "),
        (lambda path: _saved(path, _model(inputs=2)), r"is of the form \[\[None, 3, 112, 112\], \[None, 3, 112, 112\]\] -> "),
    ],
)
def test_other_files_are_refused_by_name(write: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        open_recogniser(write(tmp_path / "r.onnx"))


def test_import_tells_what_a_recogniser_is_for(tmp_path: Path) -> None:
    words = inspect_file(_saved(tmp_path / "r.onnx", _model()))
    assert words == "r.onnx: an ONNX network, which evaluate --recogniser takes if it recognises faces; of no known format"


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textedit_core.evaluation.onnx_recogniser.MAX_BYTES", 100)
    with pytest.raises(UserError, match="bytes; the limit is 100"):
        open_recogniser(_saved(tmp_path / "r.onnx", _model()))


def test_embeddings_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = _model()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((48, NUMBERS), np.nan, np.float32), "weight"))
    with pytest.raises(UserError, match="r.onnx gives embeddings that are zero or not finite"):
        open_recogniser(_saved(tmp_path / "r.onnx", model)).embed(_faces(1))


def test_report_has_the_opinion_of_the_recogniser(tmp_path: Path, tiny_checkpoint: Checkpoint, judges: Any, groups: Any) -> None:
    path = _saved(tmp_path / "r.onnx", _model())
    request = EvaluateRequest(tiny_checkpoint.directory, recogniser=path, prompts=("smile",), strength_groups=4)
    report, _ = evaluate_with(request, groups, judges)
    assert report["recogniser"]["file"] == "r.onnx" and report["recogniser"]["numbers"] == NUMBERS
    rows = report["prompts"]["smile"]["rows"]
    # Without training an editor answers zero, so the edit shows the reconstruction itself.
    assert rows["fp32"]["recogniser_to_reconstruction"]["value"] == pytest.approx(1.0, abs=1e-6)
    assert rows["fp32"]["recogniser_to_photo"]["value"] == report["reconstruction"]["fp32"]["recogniser_cosine"]["value"] < 0.999
    text = format_report(report)
    assert "recogniser: r.onnx, 512 numbers" in text and "recogniser to photo" in text
