"""The int8 simulation and the search for what must stay in float."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from export.fold import fold
from export.sensitivity import Int8Simulation, keep_in_float, observe


class Fragile(nn.Module):
    """A convolution that int8 cannot carry (one channel a thousand times larger than the rest) between two that it can."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.middle, self.last = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.register_buffer("identity", torch.eye(4).reshape(4, 4, 1, 1))
        self.register_buffer("spread", torch.tensor([1000.0, 1.0, 1.0, 1.0]).reshape(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # What comes out of `middle` matters in its small channels only, which share a range with the large one.
        y = self.middle(self.first(x)) * self.spread
        return self.last(torch.tanh(self.second(y) / self.spread))

    def second(self, y: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(y, self.identity)


@pytest.fixture(scope="module")
def fragile() -> tuple[fx.GraphModule, list[Tensor]]:
    """The folded network and four inputs."""
    torch.manual_seed(1)
    inputs = [torch.randn(1, 4, 8, 8) for _ in range(4)]
    return fold(Fragile().eval(), inputs[0]), inputs


def test_rounding_nothing_changes_nothing(fragile: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = fragile
    ranges = observe(graph, inputs)
    assert len(ranges) == 4 and all(low <= high for low, high, *_ in ranges.values())
    assert torch.equal(Int8Simulation(graph, ranges, ()).run(inputs[0]), graph(inputs[0]))


def test_keeps_the_fragile_convolution_first(fragile: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = fragile
    kept = keep_in_float(graph, inputs, target_db=36.0)
    # The third in order of execution is `second`, whose input mixes the scales.
    assert kept[0] == "conv2d_2" and len(kept) < 4


def test_keeps_nothing_when_int8_is_good_enough(fragile: tuple[fx.GraphModule, list[Tensor]]) -> None:
    assert keep_in_float(*fragile, target_db=-100.0) == ()


def test_keeps_everything_when_nothing_else_will_do(fragile: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = fragile
    assert len(keep_in_float(graph, inputs, target_db=199.0)) == 4
