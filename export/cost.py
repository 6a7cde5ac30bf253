"""What a network costs to run: multiplications, weights, memory, and which operations an accelerated backend takes.

Arithmetic and weights are counted on the folded graph, from the shapes that tracing gave its nodes; the lowered program says the rest.
Costs lie in costs.json, not in the manifest, whose reader on a phone has no use for them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, fx

    from export.backends.lowered import Lowered
    from export.edit_success import EditSuccess
    from export.precision_search import Mix

COSTS_FILE = "costs.json"
# Results of these share the memory of their input.
_VIEWS = ("reshape", "view", "slice", "unsqueeze", "squeeze", "permute", "transpose", "expand", "flatten", "select")


@dataclass(frozen=True)
class Cost:
    """One lowered network.

    Attributes:
        part: `encoder`, `decoder`, `text_editor` or `editors/ID`.
        macs: multiply-accumulates of one run, batch size 1, by operation.
        parameters: numbers stored in the folded graph: weights, biases, constant noise.
        bytes: size of the lowered file or directory.
        activation_bytes: the most float32 activations that are needed at one moment when the folded graph runs in order; a network in
            eight bits needs about a quarter.
        planned_bytes: the arena that the runtime's own plan asks for, without what a delegate takes for itself; None where the file
            does not say.
        delegated: operations that an accelerated backend takes, by name; None where the device's runtime decides.
        undelegated: those left to an interpreter; None likewise.
        delegates: calls into an accelerated backend; None likewise. More than one means data copied in between.
        mix: for `auto`, the search for what stays in float, as plain values; its layers are nodes of the folded graph.
        edits: for the decoder of `auto`, the `EditSuccess` of the lowered file, as plain values.
    """

    part: str
    macs: dict[str, int]
    parameters: int
    bytes: int
    activation_bytes: int
    planned_bytes: int | None = None
    delegated: dict[str, int] | None = None
    undelegated: dict[str, int] | None = None
    delegates: int | None = None
    mix: dict[str, Any] | None = None
    edits: dict[str, Any] | None = None

    @property
    def gmac(self) -> float:
        """Multiply-accumulates of one run, in units of 1e9."""
        return sum(self.macs.values()) / 1e9


def cost_of(
    part: str, graph: fx.GraphModule, lowered: Lowered, size: int, mix: Mix | None = None, edits: EditSuccess | None = None
) -> Cost:
    """The cost of one network.

    Args:
        part: its name.
        graph: its folded graph, with shapes at its nodes.
        lowered: what the backend made of it.
        size: bytes of the lowered file.
        mix: the search of precision `auto`.
        edits: what the judge of edits says of a decoder of precision `auto`.
    """
    return Cost(
        part=part,
        macs=macs_by_operation(graph),
        parameters=parameter_count(graph),
        bytes=size,
        activation_bytes=peak_activation_bytes(graph),
        planned_bytes=lowered.planned_bytes,
        delegated=None if lowered.undelegated is None else _difference(lowered.operations, lowered.undelegated),
        undelegated=lowered.undelegated,
        delegates=lowered.delegates,
        mix=None if mix is None else plain(mix),
        edits=None if edits is None else plain(edits),
    )


def plain(record: Mix | EditSuccess) -> dict[str, Any]:
    """A record as values that compare equal with what is read back from JSON."""
    values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record)))
    return values


def with_edits(cost: Cost, success: EditSuccess) -> Cost:
    """The cost with further prompts' edits on record."""
    old, new = cost.edits or {"judged": [], "not_judged": {}}, plain(success)
    merged = {"judged": [*old["judged"], *new["judged"]], "not_judged": {**old["not_judged"], **new["not_judged"]}}
    return dataclasses.replace(cost, edits=merged)


def edits_of(cost: Cost, prompts: Collection[str]) -> Cost:
    """The cost with the edits of these prompts alone on record."""
    if cost.edits is None:
        return cost
    judged = [row for row in cost.edits["judged"] if row["prompt"] in prompts]
    not_judged = {prompt: reason for prompt, reason in cost.edits["not_judged"].items() if prompt in prompts}
    return dataclasses.replace(cost, edits={"judged": judged, "not_judged": not_judged})


def macs_by_operation(graph: fx.GraphModule) -> dict[str, int]:
    """Multiply-accumulates of convolutions, linear layers and matrix products for one run, by operation; the rest counts nothing."""
    counts: Counter[str] = Counter()
    for node in graph.graph.nodes:
        if node.op == "call_function" and operation_name(node) in _MACS:
            counts[operation_name(node)] += _MACS[operation_name(node)](node)
    return dict(sorted(counts.items()))


def parameter_count(graph: fx.GraphModule) -> int:
    """Numbers stored in a graph."""
    return sum(value_of(node).numel() for node in graph.graph.nodes if node.op == "get_attr")


def peak_activation_bytes(graph: fx.GraphModule) -> int:
    """The largest sum of the activations that live at one moment, in bytes; stored constants are not among them."""
    nodes = [node for node in graph.graph.nodes if node.op in ("placeholder", "call_function")]
    last_use = {_owner(node): index for index, reader in enumerate(nodes) for node in reader.all_input_nodes}
    for node in next(node for node in graph.graph.nodes if node.op == "output").all_input_nodes:
        last_use[_owner(node)] = len(nodes)
    alive: dict[Any, int] = {}
    peak = 0
    for index, node in enumerate(nodes):
        if _owner(node) is node:
            alive[node] = value_of(node).numel() * value_of(node).element_size()
        peak = max(peak, sum(alive.values()))
        alive = {kept: size for kept, size in alive.items() if last_use.get(kept, index) > index}
    return peak


def operation_name(node: fx.Node) -> str:
    """`conv2d` for aten.conv2d.default."""
    return getattr(node.target, "__name__", str(node.target)).removeprefix("aten.").split(".")[0]


def value_of(node: fx.Node) -> Tensor:
    """The shape and dtype that tracing found for a node, as a tensor without data."""
    value = node.meta["val"]
    return value[0] if isinstance(value, (list, tuple)) else value


def write_costs(root: Path, costs: tuple[Cost, ...]) -> None:
    """Writes costs.json into a bundle; the same costs give the same bytes."""
    text = json.dumps([dataclasses.asdict(cost) for cost in costs], sort_keys=True, indent=2)
    (root / COSTS_FILE).write_text(text + "\n", "utf-8")


def read_costs(root: Path) -> tuple[Cost, ...]:
    """What the networks of a bundle directory cost; none where an older version wrote the bundle.

    Raises:
        UserError: the file is there but is not what this version writes.
    """
    path = root / COSTS_FILE
    if not path.is_file():
        return ()
    try:
        return tuple(Cost(**values) for values in json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{COSTS_FILE} holds costs that this version does not read: {error}; export the bundle again") from None


def _difference(whole: dict[str, int], part: dict[str, int]) -> dict[str, int]:
    rest = Counter(whole)
    rest.subtract(part)
    return {name: number for name, number in sorted(rest.items()) if number > 0}


def _owner(node: fx.Node) -> fx.Node:
    while node.op == "call_function" and operation_name(node) in _VIEWS:
        node = node.all_input_nodes[0]
    return node


def _convolution_macs(node: fx.Node) -> int:
    # A weight is [out, in / groups, kernel]: every output value sums all of one filter.
    return value_of(node).numel() * math.prod(value_of(node.all_input_nodes[1]).shape[1:])


def _transposed_macs(node: fx.Node) -> int:
    # A weight is [in, out / groups, kernel]: every input value is spread by all of one filter.
    return value_of(node.all_input_nodes[0]).numel() * math.prod(value_of(node.all_input_nodes[1]).shape[1:])


def _matrix_macs(node: fx.Node) -> int:
    return value_of(node).numel() * value_of(node.all_input_nodes[0]).shape[-1]


_MACS = {
    "conv1d": _convolution_macs,
    "conv2d": _convolution_macs,
    "conv_transpose2d": _transposed_macs,
    "linear": _matrix_macs,
    "matmul": _matrix_macs,
    "mm": _matrix_macs,
    "bmm": _matrix_macs,
}
