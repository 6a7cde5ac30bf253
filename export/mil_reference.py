"""Evaluates a saved Core ML package on any system, operation by operation, in torch.

Core ML itself runs on Apple systems only. This evaluates the very file that ships: its weights, layouts, quantisation and shapes. In
fp16 mode each result that the package declares as fp16 is rounded to it, overflow included; sums inside one operation are taken in
fp32. What the Neural Engine rounds inside an operation stays unproven.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from export.mil_operations import OPERATIONS, Values
from export.mil_weights import STORED_WEIGHTS
from export.quiet import quiet
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping


class MilProgram:
    """One loaded .mlpackage.

    Args:
        package: the .mlpackage directory.
        round_fp16: round what the package declares as fp16; False evaluates everything in fp32, which isolates conversion errors
            from rounding.

    Raises:
        UserError: the package cannot be read, or uses an operation that is not in `OPERATIONS`; the message names both.
    """

    def __init__(self, package: Path, round_fp16: bool = True) -> None:
        self.package, self.round_fp16 = package, round_fp16
        self._function = _load_function(package)
        self._weights: dict[str, Tensor] = {}
        unknown = {op.op_type for op in self._function.operations} - set(OPERATIONS) - set(STORED_WEIGHTS) - {"const"}
        if unknown:
            raise UserError(f"{package.name} uses operations that the MIL reference does not know: {', '.join(sorted(unknown))}")

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return list(self._function.inputs)

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Runs the program on float32 tensors by input name; returns float32 tensors by output name."""
        environment: dict[str, Any] = {name: inputs[name].float() for name in self._function.inputs}
        with torch.no_grad():
            for operation in self._function.operations:
                if operation.op_type != "const":
                    self._run(operation, environment)
        return {output.name: environment[output.name].float() for output in self._function.outputs}

    def _run(self, operation: Any, environment: dict[str, Any]) -> None:
        if operation.op_type in STORED_WEIGHTS:
            result: Any = self._stored(operation)
        else:
            result = OPERATIONS[operation.op_type](_resolved(operation, environment))
        results = result if isinstance(result, (list, tuple)) else [result]
        for value, variable in zip(results, operation.outputs, strict=True):
            if not _fits(value, variable.shape):
                raise UserError(f"{self.package.name}: {variable.name} has shape {tuple(value.shape)}, declared {variable.shape}")
            environment[variable.name] = self._rounded(value, variable)

    def _stored(self, operation: Any) -> Tensor:
        name = operation.outputs[0].name
        if name not in self._weights:
            self._weights[name] = STORED_WEIGHTS[operation.op_type](_resolved(operation, {}))
        return self._weights[name]

    def _rounded(self, value: Tensor, variable: Any) -> Tensor:
        if not value.is_floating_point():
            return value
        from coremltools.converters.mil.mil.types import builtin_to_string

        half = self.round_fp16 and builtin_to_string(variable.dtype) == "fp16"
        return value.half().float() if half else value.float()


def _fits(value: Tensor, declared: Any) -> bool:
    """Whether a value has its declared shape; a symbol, which stands for the batch, fits any size."""
    return len(value.shape) == len(declared) and all(
        size == wanted for size, wanted in zip(value.shape, declared, strict=True) if isinstance(wanted, (int, np.integer))
    )


def _load_function(package: Path) -> Any:
    try:
        with quiet():
            import coremltools as ct
            from coremltools.converters.mil.frontend.milproto.load import load

            model = ct.models.MLModel(str(package), skip_model_load=True)
            spec = model.get_spec()
            program = load(spec, spec.specificationVersion, file_weights_dir=model.weights_dir)
    except Exception as error:
        # Protobuf, JSON and SDK each raise their own kind on a damaged file.
        raise UserError(f"{package.name} is not a readable ML Program: {type(error).__name__}: {str(error)[:200]}") from None
    return program.functions["main"]


def _resolved(operation: Any, environment: dict[str, Any]) -> Values:
    return {name: _value(variable, environment) for name, variable in operation.inputs.items() if variable is not None}


def _value(variable: Any, environment: dict[str, Any]) -> Any:
    if isinstance(variable, (list, tuple)):
        return [_value(item, environment) for item in variable]
    if variable.name in environment:
        return environment[variable.name]
    constant = variable.val
    if hasattr(constant, "dtype") and constant.dtype.kind == "f":
        return torch.as_tensor(constant).float()
    return constant
