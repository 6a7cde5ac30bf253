"""Insightface's recognisers as ONNX files: another opinion on whether an edit kept the person.

The one place in textedit_core that runs a file through ONNX Runtime: it measures on the machine that evaluates, and is part of no model.
The file is taken apart and checked before the runtime sees it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from textedit_core.alignment import ALIGNMENT_TEMPLATE, ARCFACE_TEMPLATE, cut_out, similarity_between
from textedit_core.checkpoints.store import file_entry
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

# The largest of insightface's files has 261 MB.
MAX_BYTES = 1 << 30
_SIDE = 112
_FACE = (3, _SIDE, _SIDE)
_BATCH = 32


@dataclass(frozen=True)
class OnnxRecogniser:
    """A recogniser of the form float32 [N,3,112,112] -> float32 [N,E].

    Attributes:
        card: the file's name, size, hash and E, for the report.
        run: float32 [N,3,112,112] RGB -> [N,E], any norm; bytes 0..255 where `normalises`, else (byte - 127.5) / 127.5.
        normalises: whether the file's graph begins by scaling the bytes itself, as those converted from MXNet do.
    """

    card: dict[str, Any]
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    normalises: bool

    def embed(self, images: Tensor, landmarks: ArrayLike = ALIGNMENT_TEMPLATE) -> NDArray[np.float64]:
        """Unit-norm embeddings [N,E] of aligned RGB faces, uint8 [N,3,C,C].

        Args:
            images: the faces.
            landmarks: where eyes, nose and corners of the mouth lie in all of them, [5,2] as fractions of the side. The similarity that
                brings these nearest to ArcFace's template cuts out what the recogniser sees: an edit moves a face's own landmarks, and
                a cut that followed them would hide the change.

        Raises:
            UserError: the answer is not finite, zero or of another shape.
        """
        faces = np.stack([_arcface_cut(image, landmarks) for image in images.permute(0, 2, 3, 1).numpy()])
        values = faces.astype(np.float32) if self.normalises else (faces.astype(np.float32) - 127.5) / 127.5
        found = [self.run(values[start : start + _BATCH]) for start in range(0, len(values), _BATCH)]
        embeddings = np.concatenate(found).astype(np.float64)
        lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
        if not np.isfinite(embeddings).all() or not (lengths > 0).all():
            raise UserError(f"recogniser {self.card['file']} gives embeddings that are zero or not finite; is the file damaged?")
        return embeddings / lengths


def _arcface_cut(image: NDArray[np.uint8], landmarks: ArrayLike) -> NDArray[np.uint8]:
    """[C,C,3] -> [3,112,112], both uint8 RGB."""
    transform = similarity_between(np.asarray(landmarks) * image.shape[0], ARCFACE_TEMPLATE)
    return np.asarray(cut_out(Image.fromarray(image), transform, _SIDE)).transpose(2, 0, 1)


def open_recogniser(path: Path) -> OnnxRecogniser:
    """Checks an ONNX file and opens it.

    Raises:
        UserError: the file is missing, too large, damaged or refused by ONNX Runtime, keeps weights in other files or claims more than it
            holds, or has inputs and outputs of another form.
    """
    model, data = _read(path)
    _check_tensors(path, model, len(data))
    batch, numbers = _check_form(path, model.graph)
    name = _inputs(model.graph)[0].name
    run = _session(path, data, name, numbers, one_by_one=batch == 1)
    # Graphs from MXNet subtract a mean from the bytes; those from PyTorch begin with a convolution.
    first = {node.op_type for node in model.graph.node if name in node.input}
    return OnnxRecogniser({"file": path.name, **file_entry(path), "numbers": numbers}, run, first == {"Sub"})


def _read(path: Path) -> tuple[ModelProto, bytes]:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"recogniser {str(path)!r} has {size} bytes; the limit is {MAX_BYTES}")
        data = path.read_bytes()
        model = onnx.load_model_from_string(data)
    except OSError as error:
        raise UserError(f"recogniser {str(path)!r} cannot be read: {error.strerror}") from None
    except DecodeError:
        raise UserError(f"recogniser {str(path)!r} is no whole ONNX file; is it cut short, or of another format?") from None
    if not model.graph.node:
        raise UserError(f"recogniser {str(path)!r} holds no network; is it an ONNX file?")
    return model, data


def _check_tensors(path: Path, model: ModelProto, size: int) -> None:
    import onnx

    for tensor in _tensors(model):
        if isinstance(tensor, onnx.SparseTensorProto):
            raise UserError(f"recogniser {str(path)!r} has sparse weights, which no known recogniser has; save it with dense ones")
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise UserError(f"recogniser {str(path)!r} keeps {tensor.name!r} in another file; save it as a single file")
        # Every number takes a byte of the file or more.
        if min(tensor.dims, default=0) < 0 or math.prod(tensor.dims) > size:
            raise UserError(f"recogniser {str(path)!r}: {tensor.name!r} claims the shape {list(tensor.dims)}, more than the file holds")


def _tensors(model: ModelProto) -> Iterator[TensorProto | SparseTensorProto]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from _node_tensors(node)


def _graph_tensors(graph: GraphProto) -> Iterator[TensorProto | SparseTensorProto]:
    yield from (*graph.initializer, *graph.sparse_initializer)
    for node in graph.node:
        yield from _node_tensors(node)


def _node_tensors(node: NodeProto) -> Iterator[TensorProto | SparseTensorProto]:
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors, *attribute.sparse_tensors)
        if attribute.HasField("sparse_tensor"):
            yield attribute.sparse_tensor
        for graph in (attribute.g, *attribute.graphs):
            yield from _graph_tensors(graph)


def _inputs(graph: GraphProto) -> list[Any]:
    """What is fed: older files list their weights among the inputs too."""
    weights = {tensor.name for tensor in graph.initializer}
    return [each for each in graph.input if each.name not in weights]


def _check_form(path: Path, graph: GraphProto) -> tuple[int | None, int]:
    """The batch size, None where it is free, and how many numbers an embedding has."""
    inputs = _inputs(graph)
    shapes = [_shape(each) for each in (*inputs, *graph.output)]
    if len(inputs) == len(graph.output) == 1:
        (batch, *face), answer = shapes[0] or [None], shapes[1]
        if tuple(face) == _FACE and batch in (None, 1) and len(answer) == 2 and answer[1]:
            return batch, answer[1]
    found = f"{[_shape(each) for each in inputs]} -> {[_shape(each) for each in graph.output]}"
    raise UserError(f"recogniser {str(path)!r} is of the form {found}; what recognises faces takes float32 [N,3,112,112] and gives [N,E]")


def _shape(value: Any) -> list[int | None]:
    """The dimensions of a float32 tensor, None where they are free; empty for anything else."""
    import onnx

    tensor = value.type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        return []
    return [each.dim_value if each.dim_value > 0 else None for each in tensor.shape.dim]


def _session(
    path: Path, data: bytes, name: str, numbers: int, one_by_one: bool
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        # The very bytes that were checked.
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes, which it does not name
        raise _refused(path, error) from None

    def run(faces: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = np.split(faces, len(faces)) if one_by_one else [faces]
        try:
            answers = np.concatenate([session.run(None, {name: part})[0] for part in parts])
        except Exception as error:
            raise _refused(path, error) from None
        if answers.shape != (len(faces), numbers):
            raise UserError(f"recogniser {str(path)!r} answers {len(faces)} faces with {list(answers.shape)}; expected [N,{numbers}]")
        return answers

    return run


def _refused(path: Path, error: Exception) -> UserError:
    return UserError(f"ONNX Runtime refuses recogniser {str(path)!r}: {(str(error).splitlines() or ['no reason given'])[0]}")
