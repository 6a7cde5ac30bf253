"""A pickle reader that runs nothing of what it reads.

Pickle is a program: a file may name any function and call it. Here a name is looked up in two short lists and nowhere else. Those of
BUILDERS give tensors and plain containers; those of INERT_MODULES give a `Record`, an empty shell that keeps what the file says about an
object. Every other name ends the reading with an error that tells it.

Before a program runs, its opcodes are walked through once: one that claims more bytes than there are, or a memo slot far beyond the
program, is refused before anything is allocated.
"""

from __future__ import annotations

import argparse
import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textedit_core.checkpoints.importers.contract import name_unreadable
from textedit_core.checkpoints.importers.stored_tensor import STORAGE_DTYPES, StorageRef, TensorRef
from textedit_core.errors import UserError

# Modules whose objects are kept as inert records: networks, numpy's arrays, and what trainers store beside the weights.
INERT_MODULES = ("torch.nn.", "numpy.", "dnnlib.", "torch_utils.", "training.", "pytorch_lightning.", "addict.", "__torch__.", "pathlib.")
DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
# Opcodes that write to the memo by number; a sane program numbers its slots one after the other.
_NUMBERED_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


class Record:
    """An object of a class that was not built: the class's name, what it was made from, and its attributes."""

    origin = ""

    args: tuple[Any, ...]
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Record:
        # Not __init__, which some opcodes skip.
        record = super().__new__(cls)
        record.args, record.state, record.items = args, kwargs, {}
        return record

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        """What the pickle appends to the object, kept in order."""
        self.items[len(self.items)] = value


class PlainDict(dict[Any, Any]):
    """What ordered and attribute dicts become; attributes that a file sets on them are dropped."""

    def __setstate__(self, state: Any) -> None:
        return


class _Builder:
    """A callable without a __dict__, so that no program can change it for the next one."""

    __slots__ = ("_build",)
    _build: Callable[..., Any]

    def __init__(self, build: Callable[..., Any]) -> None:
        object.__setattr__(self, "_build", build)

    def __call__(self, *args: Any) -> Any:
        return self._build(*args)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("it changes a builder")


class Token(str):
    """A name that stands for itself: a dtype, a storage class."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        raise pickle.UnpicklingError(f"it calls {self}")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorRef:
    if not isinstance(storage, StorageRef):
        raise pickle.UnpicklingError("it makes a tensor of something that is no storage")
    return TensorRef(storage, offset, tuple(size), tuple(stride))


def _persistent_object(meta: Any) -> Record:
    """NVIDIA's persistence: the class's name and attributes. The source code that lies beside them is dropped unread."""
    record = _record_class("torch_utils.persistence", str(meta["class_name"]))()
    record.state = meta["state"]
    return record


def _latin1(text: Any, encoding: Any = "latin1") -> bytes:
    if encoding != "latin1" or not isinstance(text, str):
        raise pickle.UnpicklingError(f"it encodes with {encoding!r}")
    return text.encode("latin1")


BUILDERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "defaultdict"): lambda *_: PlainDict(),
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_object,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda data, *_: data,
    ("torch.jit._pickle", "restore_type_tag"): lambda value, *_: value,
    ("torch.jit._pickle", "build_intlist"): list,
    ("torch.jit._pickle", "build_doublelist"): list,
    ("torch.jit._pickle", "build_boollist"): list,
    ("torch.jit._pickle", "build_tensorlist"): list,
    ("torch", "Size"): tuple,
    ("torch", "device"): lambda *names: Token(":".join(map(str, names))),
    ("_codecs", "encode"): _latin1,
    ("builtins", "set"): lambda items=(): list(items),
    ("__builtin__", "set"): lambda items=(): list(items),
    ("builtins", "frozenset"): lambda items=(): list(items),
    ("builtins", "complex"): complex,
}
DICTS = (("collections", "OrderedDict"), ("dnnlib.util", "EasyDict"), ("addict.addict", "Dict"))


def _record_class(module: str, name: str) -> type[Record]:
    return type("Record", (Record,), {"origin": f"{module}.{name}"})


class RestrictedUnpickler(pickle.Unpickler):
    """Reads one scanned program; `storage_of` finds the storage that a persistent id names, `load_bytes` a storage within the pickle."""

    def __init__(
        self, program: bytes, path: Path, storage_of: Callable[[Any], StorageRef] | None, load_bytes: Callable[[Any], StorageRef] | None
    ) -> None:
        super().__init__(io.BytesIO(program), encoding="latin1")
        self._path, self._storage_of, self._load_bytes = path, storage_of, load_bytes

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a global: a builder, a token or a record's class.

        Raises:
            UserError: the global is on no list.
        """
        if (module, name) in BUILDERS:
            return _Builder(BUILDERS[module, name])
        if (module, name) in DICTS:
            return PlainDict
        if (module, name) == ("argparse", "Namespace"):
            return _record_class(module, name)
        if (module, name) == ("torch.storage", "_load_from_bytes") and self._load_bytes is not None:
            return _Builder(self._load_bytes)
        if module == "torch" and (name in STORAGE_DTYPES or name in DTYPES):
            return Token(name)
        if f"{module}.".startswith(INERT_MODULES):
            return _record_class(module, name)
        raise name_unreadable(self._path, f"it calls for {module}.{name}, which is neither a tensor nor a plain container; nothing was run")

    def persistent_load(self, pid: Any) -> StorageRef:
        """The storage that the program names.

        Raises:
            UserError: the file has no storages, or not this one.
        """
        if self._storage_of is None:
            raise name_unreadable(self._path, f"it names an outside object {pid!r}")
        return self._storage_of(pid)


def scan(stream: io.BytesIO, path: Path) -> bytes:
    """Walks over the opcodes of the next program in `stream` without running them; returns the program and leaves the stream behind it.

    Raises:
        UserError: it is no whole program, claims more bytes than there are, or numbers memo slots beyond its length.
    """
    start, size = stream.tell(), stream.getbuffer().nbytes
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if opcode.name in _NUMBERED_PUTS and int(argument or 0) > count:
                raise name_unreadable(path, f"its program claims memo slot {argument} at step {count}")
            if opcode.name == "FRAME" and int(argument or 0) > size - stream.tell():
                raise name_unreadable(path, f"its program claims a frame of {argument} bytes, but is cut short")
    except UserError:
        raise
    except Exception as error:  # pickletools raises whatever a malformed argument leads to
        raise name_unreadable(path, f"its pickle is damaged or cut short ({_first_line(error)})") from None
    return stream.getbuffer()[start : stream.tell()].tobytes()


def run(
    stream: io.BytesIO,
    path: Path,
    storage_of: Callable[[Any], StorageRef] | None = None,
    load_bytes: Callable[[Any], StorageRef] | None = None,
) -> Any:
    """Reads the next program in `stream`; in its value, TensorRef stands for tensors.

    Raises:
        UserError: the program is damaged or names a forbidden global.
    """
    program = scan(stream, path)
    try:
        return RestrictedUnpickler(program, path, storage_of, load_bytes).load()
    except UserError:
        raise
    except Exception as error:  # a malformed program can misuse what it built in any way
        raise name_unreadable(path, f"its pickle is damaged ({type(error).__name__}: {_first_line(error)})") from None


def materialise(value: Any, path: Path) -> Any:
    """Replaces what the unpickler left: references become tensors, namespaces dicts, tokens strings; records stay.

    Raises:
        UserError: a tensor reaches beyond its storage, or containers are nested too deeply.
    """
    try:
        return _Materialiser(path).visit(value)
    except RecursionError:
        raise name_unreadable(path, "its containers are nested too deeply") from None


class _Materialiser:
    def __init__(self, path: Path) -> None:
        self._path = path
        # Shared parts are visited once, or a few references to references would grow without end. Keys keep their objects alive.
        self._done: dict[int, tuple[Any, Any]] = {}

    def visit(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return str(value) if isinstance(value, Token) else value
        if id(value) not in self._done:
            self._done[id(value)] = (value, None)
            self._done[id(value)] = (value, self._build(value))
        return self._done[id(value)][1]

    def _build(self, value: Any) -> Any:
        if isinstance(value, TensorRef):
            return value.tensor(self._path)
        if isinstance(value, dict):
            return {self._key(key): self.visit(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.visit(item) for item in value)
        if isinstance(value, type) and issubclass(value, Record):
            return value.origin
        if isinstance(value, Record):
            return self._record(value)
        return value

    def _record(self, value: Record) -> Any:
        if value.origin == f"{argparse.Namespace.__module__}.{argparse.Namespace.__name__}":
            return self.visit(value.state)
        value.args, value.state, value.items = self.visit(value.args), self.visit(value.state), self.visit(value.items)
        return value

    def _key(self, key: Any) -> Any:
        return key if isinstance(key, (str, int, float, tuple)) and not isinstance(key, Token) else str(self.visit(key))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
