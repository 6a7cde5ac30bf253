"""Lowering by template: of networks that differ in their constants alone, two are lowered and the others filled in.

What a backend writes follows from a graph's form (operations, shapes, names) and from its constants. The SDKs spend seconds on the form,
over and over for editors that are alike in it, and milliseconds on the constants. So the first two networks of a form are lowered in full.
In the first file each constant is looked up in the encodings that backends store; the places found make a template. It counts only if,
filled with the second network's constants, it is byte for byte the second file. From then on a network of this form costs the writing of
its constants. That its file is the one that the backend would have written is inferred from those two; the tests compare a third, and
parity is measured on every file. Where the second does not come out, every network is lowered in full.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle_files import walk_files
from export.constants import constant_value, is_constant

if TYPE_CHECKING:
    from torch import Tensor, fx

    from export.backends.lowered import Lowered

# Bytes by path inside a package; a single file has the empty path.
Files = dict[str, bytes]
Encoding = Callable[["Tensor"], "bytes | None"]

# Shorter constants could be found where they are not; they belong to the form.
_FEWEST_ELEMENTS = 8


@dataclass(frozen=True)
class Form:
    """What a network has apart from the values of its constants.

    Attributes:
        digest: of operations, arguments, names, shapes, layers that stay in float, and of constants that are integers, short, or all one
            number.
        constants: the others by name, float32 on the CPU.
    """

    digest: str
    constants: Mapping[str, Tensor]


@dataclass(frozen=True)
class _Place:
    """Where a file holds a constant, and in which encoding."""

    path: str
    offset: int
    constant: str
    encoding: str


@dataclass(frozen=True)
class _Example:
    """A network that was lowered in full."""

    form: Form
    files: Files
    lowered: Lowered


@dataclass(frozen=True)
class _Template:
    example: _Example
    places: tuple[_Place, ...]

    def fill(self, form: Form) -> Files | None:
        """The files with another network's constants; None where one of these has no such encoding."""
        filled = {path: bytearray(data) for path, data in self.example.files.items()}
        encoded: dict[tuple[str, str], bytes | None] = {}
        for place in self.places:
            key = (place.constant, place.encoding)
            if key not in encoded:
                encoded[key] = _ENCODINGS[place.encoding](form.constants[place.constant])
            value = encoded[key]
            if value is None:
                return None
            filled[place.path][place.offset : place.offset + len(value)] = value
        return {path: bytes(data) for path, data in filled.items()}


class Templates:
    """The forms met so far by one target in one precision.

    `lowered_in_full` counts the networks that their backend wrote, `filled` the others.
    """

    def __init__(self) -> None:
        self._examples: dict[str, _Example] = {}
        # None for a form that is lowered in full each time.
        self._templates: dict[str, _Template | None] = {}
        self.lowered_in_full = 0
        self.filled = 0

    def lower(self, form: Form, destination: Path, write: Callable[[], Lowered]) -> Lowered:
        """Writes a network to `destination`, by template where there is one, else by `write`, which has to write to the same place."""
        template = self._templates.get(form.digest)
        files = None if template is None else template.fill(form)
        if template is None or files is None:
            self.lowered_in_full += 1
            lowered = write()
            self._learn(_Example(form, _read(destination), lowered))
            return lowered
        self.filled += 1
        _write(destination, files)
        return template.example.lowered

    def _learn(self, example: _Example) -> None:
        digest = example.form.digest
        if digest in self._templates:
            return
        first = self._examples.setdefault(digest, example)
        # Where a constant is the same in both, nothing shows that its place is the right one; another network may do.
        if not any(_same(value, example.form.constants[name]) for name, value in first.form.constants.items()):
            self._templates[digest] = _proven(first, example)
            del self._examples[digest]


def form_of(graph: fx.GraphModule, kept: tuple[str, ...] = ()) -> Form:
    """The form of a folded graph.

    Args:
        graph: folded network.
        kept: names of the layers that stay in float.
    """
    # All other shapes follow from these.
    inputs = [tuple(node.meta["val"].shape) for node in graph.graph.find_nodes(op="placeholder")]
    lines: list[object] = [kept, inputs]
    constants: dict[str, Tensor] = {}
    for node in graph.graph.nodes:
        if not is_constant(node):
            lines.append((node.op, node.name, str(node.target), str(node.args), str(node.kwargs)))
            continue
        value = constant_value(graph, node).detach()
        # Backends store equal constants once.
        twin = next((name for name, other in constants.items() if _same(value, other)), None)
        lines.append((node.op, node.name, str(node.target), str(value.dtype), tuple(value.shape), value.stride(), twin))
        if twin is None and _is_plain(value):
            lines.append(hashlib.sha256(_bytes(value)).hexdigest())
        elif twin is None:
            constants[node.name] = value
    return Form(hashlib.sha256(repr(lines).encode()).hexdigest(), constants)


def _is_plain(value: Tensor) -> bool:
    return value.numel() < _FEWEST_ELEMENTS or not value.is_floating_point() or bool((value == value.flatten()[0]).all())


def _same(one: Tensor, other: Tensor) -> bool:
    # By their bytes, since 0.0 is stored otherwise than -0.0.
    return one.shape == other.shape and one.dtype == other.dtype and _bytes(one) == _bytes(other)


def _proven(first: _Example, second: _Example) -> _Template | None:
    """The template of the first network's files, if the second network's come out of it."""
    template = _Template(first, tuple(_places(first)))
    return template if first.lowered == second.lowered and template.fill(second.form) == second.files else None


def _places(example: _Example) -> Iterator[_Place]:
    for name, value in example.form.constants.items():
        for encoding, encode in _ENCODINGS.items():
            data = encode(value)
            if data is None:
                continue
            for path, content in example.files.items():
                offset = content.find(data)
                while offset >= 0:
                    yield _Place(path, offset, name, encoding)
                    offset = content.find(data, offset + len(data))


def _read(destination: Path) -> Files:
    if destination.is_file():
        return {"": destination.read_bytes()}
    return {path: (destination / path).read_bytes() for path in walk_files(destination)}


def _write(destination: Path, files: Files) -> None:
    for path, data in files.items():
        target = destination / path if path else destination
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _bytes(value: Tensor) -> bytes:
    return value.contiguous().numpy().tobytes()


def _as_half(value: Tensor) -> bytes | None:
    halved = value.half()
    return _bytes(halved) if bool(halved.isfinite().all()) else None


def _transposed(encode: Encoding) -> Encoding:
    return lambda value: encode(value.T) if _is_matrix(value) else None


def _as_int8(value: Tensor) -> bytes | None:
    from export.backends.static_int8 import weight_as_int8

    return _bytes(weight_as_int8(value)[0]) if _is_matrix(value) else None


def _as_scales(value: Tensor) -> bytes | None:
    from export.backends.static_int8 import weight_as_int8

    return _bytes(weight_as_int8(value)[1]) if _is_matrix(value) else None


def _is_matrix(value: Tensor) -> bool:
    return value.dim() == 2


def _digest_of(encode: Encoding) -> Encoding:
    def digest(value: Tensor) -> bytes | None:
        data = encode(value)
        return None if data is None else hashlib.sha256(data).hexdigest().encode()

    return digest


# How backends store a constant: fp32, fp16, both transposed, and int8 with a scale per output channel.
_STORED: dict[str, Encoding] = {
    "fp32": _bytes,
    "fp16": _as_half,
    "fp32 transposed": _transposed(_bytes),
    "fp16 transposed": _transposed(_as_half),
    "int8": _as_int8,
    "scales": _as_scales,
}
# ExecuTorch names stored data by its SHA-256.
_ENCODINGS: dict[str, Encoding] = _STORED | {f"name of {name}": _digest_of(encode) for name, encode in _STORED.items()}
