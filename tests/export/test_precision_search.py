"""The search for the smallest mix above a floor."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, fx

from export.backends.lowered import Lowered
from export.cost import cost_of
from export.fold import fold
from export.precision_search import smallest_mix
from export.report_costs import cost_section
from tests.export.test_sensitivity import Fragile


class Mixed(torch.nn.Module):
    """The fragile network, a linear layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.fragile = Fragile()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.fragile(x))


@pytest.fixture(scope="module")
def mixed() -> tuple[fx.GraphModule, list[Tensor]]:
    """The folded network and four inputs."""
    torch.manual_seed(1)
    inputs = [torch.randn(1, 4, 8, 8) for _ in range(4)]
    return fold(Mixed().eval(), inputs[0]), inputs


def test_the_smallest_mix_keeps_what_is_fragile(mixed: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = mixed
    mix = smallest_mix(graph, inputs, 36.0)
    assert "conv2d_2" in mix.kept and mix.layers == 5
    assert mix.chosen.psnr_db >= 36.0 and mix.chosen in mix.curve
    # No smaller mix that was measured reaches the aim.
    assert all(point.psnr_db < 36.0 for point in mix.curve if point.weight_bytes < mix.chosen.weight_bytes)


def test_a_higher_aim_costs_bytes(mixed: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = mixed
    sizes = [smallest_mix(graph, inputs, aim).chosen.weight_bytes for aim in (-100.0, 36.0, 50.0, 199.0)]
    assert sizes == sorted(sizes)
    # Weights: three of 4 x 4 x 9, one of 4 x 4, one of 8 x 8; a scale of four bytes per output channel in int8.
    assert sizes[0] == 3 * 144 + 16 + 64 + 4 * (4 * 4 + 8) and sizes[-1] == 4 * (3 * 144 + 16 + 64)


def test_the_search_is_in_the_report(mixed: tuple[fx.GraphModule, list[Tensor]]) -> None:
    graph, inputs = mixed
    mix = smallest_mix(graph, inputs, 36.0)
    cost = cost_of("decoder", graph, Lowered({}, {}), 1, mix)
    assert cost.mix is not None and json.loads(json.dumps(cost.mix)) == cost.mix
    page = cost_section((cost,))
    assert page.count("<circle") == len(mix.curve) and page.count('class="on"') == 1
    assert f"{len(mix.kept)} of 5 layers stay in float" in page
