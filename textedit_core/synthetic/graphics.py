"""A window-less OpenGL context, and uniforms of programs whose compiler drops what they do not use."""

from __future__ import annotations

import moderngl
import numpy as np

from textedit_core.errors import UserError


def open_context() -> moderngl.Context:
    """Opens a context through EGL.

    Raises:
        UserError: there is no graphics driver.
    """
    try:
        return moderngl.create_standalone_context(backend="egl")
    except Exception as error:
        raise UserError(
            f"cannot open an EGL context ({error}); install a GPU driver, or Mesa: apt install libegl1 libgl1-mesa-dri"
        ) from error


def set_uniform(program: moderngl.Program, name: str, value: object) -> None:
    """Sets a uniform when the program has it: compilers drop those that a material does not use."""
    if name not in program:
        return
    member = program[name]
    if isinstance(value, np.ndarray):
        member.write(np.ascontiguousarray(value, np.float32).tobytes())
    else:
        member.value = value
