"""Takes the Core ML package out of an ExecuTorch program, so that what Core ML will be given can be evaluated without Core ML."""

from __future__ import annotations

from pathlib import Path

_DELEGATE = "CoreMLBackend"


def unpack(program: bytes, folder: Path) -> Path:
    """Writes the package that the program hands to Core ML.

    Args:
        program: the bytes of a .pte file.
        folder: an existing empty directory.

    Returns:
        The .mlpackage directory.

    Raises:
        ValueError: the program does anything but call Core ML once, so that the package alone would not tell what it computes.
    """
    from executorch.backends.apple.coreml import executorchcoreml
    from executorch.exir._serialize._program import deserialize_pte_binary

    stored = deserialize_pte_binary(program).program
    (plan,) = stored.execution_plan
    steps = [type(instruction.instr_args).__name__ for chain in plan.chains for instruction in chain.instructions]
    called = [delegate.id for delegate in plan.delegates]
    if steps != ["DelegateCall"] or called != [_DELEGATE]:
        raise ValueError(f"the program is not one call of {_DELEGATE}: it does {', '.join(steps)} with {', '.join(called) or 'none'}")
    data = stored.backend_delegate_data[plan.delegates[0].processed.index].data
    executorchcoreml.unflatten_directory_contents(bytes(data), str(folder))
    (package,) = folder.glob("*/model.mlpackage")
    return package
