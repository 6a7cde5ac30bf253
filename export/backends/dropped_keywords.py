"""Arguments given by keyword that coremltools does not read: it drops them without a word, so they are refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import fx

# What coremltools 9.0 reads by keyword, whatever the operation (`_get_kwinputs` in its ops.py).
_READ = frozenset(
    "accumulate attn_mask bias correction descending dilation dim end groups indexing keepdim largest mode nan negative_slope neginf "
    "normalized num_classes offset out_padding padding posinf reduce right rounding_mode scale scales scales_h scales_w side sorted "
    "start step stride unbiased value weight".split()
)
# Where a value lies and how it is stored: Core ML decides that itself.
_STORAGE = frozenset(("device", "dtype", "layout", "memory_format", "out_dtype", "pin_memory"))
# Read of a matrix product with an addend alone.
_FACTORS = frozenset(("alpha", "beta"))
_WITH_FACTORS = frozenset(("addmm", "baddbmm"))


def refuse_dropped_keywords(graph: fx.Graph, part: str) -> None:
    """Refuses an operation with an argument that would be lost.

    Args:
        graph: a traced graph as the converter gets it.
        part: the network's name, for the error.

    Raises:
        UserError: naming the part, the argument, the operation and its module.
    """
    from export.layers import module_path

    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is None:
            continue
        operation = schema.name.rpartition("::")[2]
        known = _READ | _STORAGE | (_FACTORS if operation in _WITH_FACTORS else frozenset())
        for name, value in node.kwargs.items():
            if name not in known and value != _default(schema, name):
                raise UserError(
                    f"{part}: Core ML's converter drops {name}={value} of {operation} in module {module_path(node)!r}; "
                    "write the operation in others that need no such argument"
                )


def _default(schema: Any, name: str) -> Any:
    return next(argument.default_value for argument in schema.arguments if argument.name == name)
