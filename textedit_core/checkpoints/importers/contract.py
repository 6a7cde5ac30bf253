"""What an importer takes and gives: the file as safely read, the tensors by this project's names, and an account of every key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from textedit_core.errors import UserError

Kind = Literal["decoder", "mapping", "encoder", "identity", "clip", "editor", "latents"]
Container = Literal["torch", "torchscript", "pickle", "safetensors", "npy", "npz", "onnx"]
# An error names this many keys at most; the count is always given.
NAMED_KEYS = 3


class ChoiceNeeded(UserError):
    """The file holds several things, or does not say what it is; the message tells how to name which is meant."""


@dataclass(frozen=True)
class Source:
    """A foreign file after it was safely read.

    `content` holds tensors, numbers, strings, lists, tuples, dicts and `safe_unpickle.Record` (an object of a class that was not built); it
    is a numpy array for "npy", a dict of tensors for "npz", and None for "onnx", of which nothing is read: no importer takes it. `w_avg` is
    the average latent of the generator that goes with it, float32 [D] or [L,D], where one is known: some encoders' files lack it.
    """

    path: Path
    container: Container
    content: Any
    w_avg: Tensor | None = None


@dataclass(frozen=True)
class KeyReport:
    """An account of every key of a foreign file, none left out. `missing` holds keys that a format may lack, with what stands in."""

    used: tuple[str, ...]
    ignored: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def joined(self, other: KeyReport, leave_out: str = "") -> KeyReport:
        """Both accounts in one; `leave_out` is a key of `other` that holds what this report counts one by one."""
        ignored = {key: reason for key, reason in other.ignored.items() if key != leave_out}
        return KeyReport(self.used + other.used, {**self.ignored, **ignored}, {**self.missing, **other.missing})


@dataclass(frozen=True)
class Imported:
    """One network of a foreign file, ready for a checkpoint.

    `tensors` are the state dict of the network that `config` (a dataclass of textedit_core.config) builds, in fp32. For "latents" it is
    {"w_plus": float32 [N,L,D]} and `config` is None; L is 1 where it holds for all levels. `companions` are further networks of the same
    file: the mapping network of a generator, the decoder inside an encoder's file. `notes` are sentences for the reader of the report.
    `w_avg` float32 [D] or [L,D] is the average latent that came with a generator; `text` is what an editor's file says that it does, ""
    where it says nothing. With `open_levels` the config's levels are a guess: any number fits, and the generator's is taken.
    """

    kind: Kind
    format: str
    config: Any
    tensors: dict[str, Tensor]
    report: KeyReport
    companions: tuple[Imported, ...] = ()
    notes: tuple[str, ...] = ()
    w_avg: Tensor | None = None
    text: str = ""
    open_levels: bool = False


@dataclass(frozen=True)
class Importer:
    """One foreign format.

    `recognises` looks at the content alone, never at the file's name, and reads no tensor's numbers. `read` gets what the user chose
    beside the file, "" without a choice: a text-image model's name (`--clip NAME=F`), which of several directions (`--editor ID=F#N`),
    which class of a conditional generator (`--class N`). Only with `takes_choice` a format has something to choose.
    """

    format: str
    kind: Kind
    recognises: Callable[[Source], bool]
    read: Callable[[Source, str], Imported]
    takes_choice: bool = False


class KeyTable:
    """Takes tensors out of a foreign state dict by name and shape, and keeps account.

    Every key must end up taken or ignored: `report` raises for those left over. Names in errors and in the report begin with `prefix`,
    where the state dict lies inside the file ("g_ema."); `names` are the file's own for keys that were renamed.
    """

    def __init__(self, source: Path, tensors: Mapping[str, Any], prefix: str = "", names: Mapping[str, str] | None = None) -> None:
        self._source, self._tensors, self._prefix, self._names = source, tensors, prefix, names or {}
        self._used: list[str] = []
        self._ignored: dict[str, str] = {}
        self._missing: dict[str, str] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tensors

    def keys(self) -> list[str]:
        """The keys of the file, without the prefix."""
        return list(self._tensors)

    def shape(self, key: str, dimensions: int | None = None) -> tuple[int, ...]:
        """The shape of a tensor that is not taken yet; `dimensions` is how many it must have.

        Raises:
            UserError: the key is missing, holds no tensor or one of other dimensions.
        """
        shape = tuple(self._tensor(key).shape)
        if dimensions not in (None, len(shape)) or (dimensions is not None and 0 in shape):
            raise UserError(f"{str(self._source)!r}: {self._shown(key)} has the shape {list(shape)}, not {dimensions} dimensions")
        return shape

    def take(self, key: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor `key` as fp32, which must have `shape` and finite numbers.

        Raises:
            UserError: the key is missing, holds no tensor, or one of another shape or with numbers that are not finite.
        """
        tensor = self._tensor(key)
        if tuple(tensor.shape) != shape:
            found = list(tensor.shape)
            raise UserError(f"{str(self._source)!r}: {self._shown(key)} has the shape {found}, not {list(shape)}; is the file damaged?")
        single = tensor.detach().float()
        if not single.isfinite().all():
            raise UserError(f"{str(self._source)!r}: {self._shown(key)} holds numbers that are not finite; the file is damaged")
        self._used.append(key)
        return single

    def ignore(self, key: str, reason: str) -> None:
        """Says why `key` is not needed."""
        self._ignored[key] = reason

    def ignore_prefix(self, prefix: str, reason: str) -> None:
        """Ignores every key that begins with `prefix`."""
        for key in self._tensors:
            if key.startswith(prefix):
                self.ignore(key, reason)

    def lack(self, key: str, reason: str) -> None:
        """Says what stands in for a key that the format may lack."""
        self._missing[key] = reason

    def report(self) -> KeyReport:
        """The account of all keys.

        Raises:
            UserError: a key was neither taken nor ignored.
        """
        accounted = {*self._used, *self._ignored}
        unknown = [self._shown(key) for key in self._tensors if key not in accounted]
        if unknown:
            named = ", ".join(unknown[:NAMED_KEYS])
            raise UserError(f"{str(self._source)!r} has unknown keys: {named} ({len(unknown)} in all); is it of another variant?")
        ignored = {self._shown(key): reason for key, reason in self._ignored.items()}
        missing = {self._shown(key): reason for key, reason in self._missing.items()}
        return KeyReport(tuple(self._shown(key) for key in self._used), ignored, missing)

    def _shown(self, key: str) -> str:
        return self._prefix + self._names.get(key, key)

    def _tensor(self, key: str) -> Tensor:
        if key not in self._tensors:
            raise UserError(f"{str(self._source)!r} lacks {self._shown(key)}; is the file whole, and of this format?")
        tensor = self._tensors[key]
        if not isinstance(tensor, Tensor):
            raise UserError(f"{str(self._source)!r}: {self._shown(key)} is a {type(tensor).__name__}, not a tensor")
        return tensor


def name_unreadable(path: Path, problem: str) -> UserError:
    """The error for a file whose container is damaged, truncated or unsafe."""
    return UserError(f"{str(path)!r} cannot be imported: {problem}")
