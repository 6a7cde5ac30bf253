"""Runs a lowered network through its real runtime, whichever target it was made for."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from export.graphs import GraphSpec
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Runner = Callable[["Tensor"], "Tensor"]


def load(target: str, path: Path, spec: GraphSpec) -> Runner:
    """Loads one network; the result maps a float32 input of batch size 1 to a float32 output.

    Core ML packages run through `mil_reference` with fp16 rounding, since Core ML itself exists on Apple systems only; so do those
    inside ExecuTorch programs.

    Args:
        target: a target's label, e.g. `android`.
        path: the lowered file or directory.
        spec: names and shapes of input and output.

    Raises:
        UserError: the runtime refuses the file, or none on this machine runs the target's files.
        ValueError: unknown target.
    """
    loaders = {
        "android": _load_executorch,
        "android-vulkan": _load_nowhere,
        "ios": _load_coreml,
        "ios-executorch": _load_coreml_delegate,
        "onnx": _load_onnx,
    }
    if target not in loaders:
        raise ValueError(f"unknown target {target!r}; valid: {', '.join(loaders)}")
    return loaders[target](path, spec)


def _load_executorch(path: Path, spec: GraphSpec) -> Runner:
    with _named(path), _native_stderr_closed():
        from executorch.runtime import Runtime, Verification

        program = Runtime.get().load_program(path.read_bytes(), verification=Verification.InternalConsistency)
        program.load_method("forward")

    def run(value: Tensor) -> Tensor:
        # The program owns the bytes that its methods point into, so the closure holds the program, not the method. Outputs are
        # copied because the next call overwrites them.
        with _named(path):
            return program.load_method("forward").execute([value.contiguous()])[0].clone()

    return run


def _load_coreml(path: Path, spec: GraphSpec) -> Runner:
    from export.mil_reference import MilProgram

    program = MilProgram(path)
    return lambda value: program({spec.input.name: value})[spec.output.name]


def _load_coreml_delegate(path: Path, spec: GraphSpec) -> Runner:
    from export.lowering.coreml_delegate import unpack
    from export.mil_reference import MilProgram

    with tempfile.TemporaryDirectory(prefix="textedit-delegate-") as scratch, _named(path):
        program = MilProgram(unpack(path.read_bytes(), Path(scratch)))
    # ExecuTorch passes tensors by position, the package has names of its own.
    (source,) = program.input_names
    return lambda value: next(iter(program({source: value}).values()))


def _load_nowhere(path: Path, spec: GraphSpec) -> Runner:
    raise UserError(f"{spec.part} cannot be run here: {path.name} was lowered for a backend that only a device has (verify: --unproven)")


def _load_onnx(path: Path, spec: GraphSpec) -> Runner:
    import torch

    with _named(path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(value: Tensor) -> Tensor:
        with _named(path):
            (output,) = session.run([spec.output.name], {spec.input.name: value.numpy()})
        return torch.from_numpy(output)

    return run


@contextlib.contextmanager
def _native_stderr_closed() -> Iterator[None]:
    """Keeps the native library's probing of the processor, written past Python to descriptor 2, off the user's terminal."""
    sys.stderr.flush()
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns whatever a runtime raises on a file into one line that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # Each runtime has its own exception types.
        raise UserError(f"{path.name} is refused by its runtime: {type(error).__name__}: {str(error)[:200]}") from None
