"""Costs of layers small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export.backends.lowered import Lowered
from export.cost import Cost, cost_of, macs_by_operation, parameter_count, peak_activation_bytes, read_costs, write_costs
from export.fold import fold
from textedit_core.errors import UserError


def macs(module: nn.Module, *shape: int) -> dict[str, int]:
    """Multiply-accumulates of a module on an input of this shape."""
    return macs_by_operation(fold(module.eval(), torch.zeros(shape)))


def test_macs_of_known_layers() -> None:
    # 8 x 8 outputs of 6 channels, each a sum over 4 * 3 * 3 inputs.
    assert macs(nn.Conv2d(4, 6, 3, padding=1), 1, 4, 8, 8) == {"conv2d": 64 * 6 * 36}
    # Stride 2 leaves 4 x 4 outputs; each group sees one input channel only.
    assert macs(nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4), 1, 4, 8, 8) == {"conv2d": 16 * 4 * 9}
    # Every one of 8 x 8 x 4 inputs is spread over 6 * 2 * 2 outputs.
    assert macs(nn.ConvTranspose2d(4, 6, 2, stride=2), 1, 4, 8, 8) == {"conv_transpose2d": 64 * 4 * 24}
    assert macs(nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2)), 1, 3, 5) == {"linear": 3 * (5 * 7 + 7 * 2)}


def test_a_product_of_two_activations_counts() -> None:
    class Gram(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x @ x.transpose(1, 2)

    # 3 x 3 results, each a sum of 5 products.
    assert macs(Gram(), 1, 3, 5) == {"matmul": 45}


def test_parameters_are_what_the_folded_graph_stores() -> None:
    network = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)).eval()
    # The norm disappears into the weight, [6,4,3,3], and a bias of 6.
    assert parameter_count(fold(network, torch.zeros(1, 4, 8, 8))) == 6 * 36 + 6


def test_peak_activations_count_what_lives_together() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.narrow = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return (self.narrow(torch.relu(self.wide(x))) + x).reshape(1, 16)

    # At the activation: the input, 1 x 4 x 4, kept for the sum, and two tensors of 8 x 4 x 4, all of four bytes. A reshape is free.
    assert peak_activation_bytes(fold(Branch().eval(), torch.zeros(1, 1, 4, 4))) == 4 * 16 * (1 + 8 + 8)


def test_delegated_operations_are_those_not_left_behind() -> None:
    graph = fold(nn.Linear(5, 7).eval(), torch.zeros(1, 5))
    cost = cost_of("editors/x", graph, Lowered({"linear": 1, "topk": 2}, {"topk": 2}, delegates=1, planned_bytes=64), 1000)
    assert (cost.delegated, cost.undelegated, cost.delegates, cost.planned_bytes) == ({"linear": 1}, {"topk": 2}, 1, 64)
    assert (cost.parameters, cost.bytes, cost.gmac) == (42, 1000, pytest.approx(35e-9))
    assert cost_of("editors/x", graph, Lowered({"linear": 1}), 1000).delegated is None


def test_a_bundle_keeps_costs(tmp_path: Path) -> None:
    costs = (Cost("decoder", {"conv2d": 12}, 3, 4, 5, None, None, None, None), Cost("editors/a</script>", {}, 0, 1, 2))
    assert read_costs(tmp_path) == ()
    write_costs(tmp_path, costs)
    assert read_costs(tmp_path) == costs
    (tmp_path / "costs.json").write_text('[{"x": 1}]')
    with pytest.raises(UserError, match="costs.json holds costs"):
        read_costs(tmp_path)
