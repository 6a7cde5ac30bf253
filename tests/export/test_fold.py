"""Folding keeps the function: each rewrite alone, and all of them on the project's networks."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from timm.models.byobnet import MobileOneBlock, RepVggBlock
from torch import Tensor, fx, nn
from torch.nn import functional as F

from export.fold import fold
from export.forms import slices_and_spatial_means
from export.graphs import trace
from export.rewrites.batch_norm import fold_batch_norm
from export.rewrites.biases import fold_added_biases
from export.rewrites.cleanup import make_functional, remove_identities
from export.rewrites.constants import fold_constants
from export.rewrites.delegation import hardsigmoid_as_clamp, matmul_as_linear, mean_as_spatial_mean, select_as_slice, unsqueeze_as_reshape
from export.rewrites.gains import sink_gains
from export.rewrites.layout import constants_with_all_axes
from export.rewrites.subsampling import subsampling_as_convolution
from tests.export.networks import job, small_config, stirred
from textedit_core.decoder import build_decoder
from textedit_core.editor import PackedTextEditor, PromptEditor, TextConditionedEditor
from textedit_core.encoder import Encoder

aten = torch.ops.aten


class Lambda(nn.Module):
    """A module around a function and the layers that it uses."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.table = nn.Parameter(torch.linspace(0.5, 1.5, 12).reshape(3, 4))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def rewritten(module: nn.Module, x: Tensor, *rewrites: Callable[[fx.GraphModule], None]) -> fx.GraphModule:
    """Applies rewrites to a traced module."""
    graph_module = trace(module.eval(), x).module(check_guards=False)
    for rewrite in rewrites:
        rewrite(graph_module)
        graph_module.graph.eliminate_dead_code()
        graph_module.graph.lint()
    graph_module.recompile()
    return graph_module


def targets(graph_module: fx.GraphModule) -> list[object]:
    """The operators that a graph calls."""
    return [node.target for node in graph_module.graph.nodes if node.op == "call_function"]


CASES = {
    "constants": (Lambda(lambda m, x: x * (m.table * 2).sum(0)), (3, 4), (fold_constants,), aten.sum.dim_IntList),
    "batch norm": (
        Lambda(lambda m, x: m.layers[1](m.layers[0](x)), nn.Conv2d(3, 5, 3), stirred(nn.BatchNorm2d(5))),
        (1, 3, 6, 6),
        (fold_batch_norm,),
        aten.batch_norm.default,
    ),
    "bias": (
        Lambda(lambda m, x: m.layers[0](x) + m.table[0], nn.Linear(6, 4)),
        (2, 6),
        (fold_constants, fold_added_biases),
        aten.add.Tensor,
    ),
    "gain behind a layer": (
        Lambda(lambda m, x: F.leaky_relu(m.layers[0](x), 0.2) * 1.5, nn.Conv2d(3, 4, 3)),
        (1, 3, 5, 5),
        (sink_gains,),
        aten.mul.Tensor,
    ),
    "select": (Lambda(lambda m, x: x[:, -2]), (1, 4, 3), (select_as_slice,), aten.select.int),
    "unsqueeze": (Lambda(lambda m, x: x[:, :, None, None] * 2.0), (1, 4), (unsqueeze_as_reshape,), aten.unsqueeze.default),
    "matmul": (Lambda(lambda m, x: x @ m.table), (2, 3), (matmul_as_linear,), aten.matmul.default),
    "hard sigmoid": (Lambda(lambda m, x: F.hardsigmoid(4 * x)), (3, 4), (hardsigmoid_as_clamp,), aten.hardsigmoid.default),
    "in place": (
        Lambda(lambda m, x: F.relu(m.layers[0](x), inplace=True), nn.Linear(4, 4)),
        (2, 4),
        (make_functional,),
        aten.relu_.default,
    ),
    "identities": (Lambda(lambda m, x: x.to(torch.float32).expand(1, -1) + 1), (1, 4), (remove_identities,), aten.expand.default),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rewrite_keeps_the_function_and_removes_the_operator(case: tuple) -> None:
    module, shape, steps, gone = case
    torch.manual_seed(1)
    x = torch.randn(shape)
    result = rewritten(module, x, *steps)
    assert gone not in targets(result)
    # A few roundings of fp32 (2^-24 each) on values of about one.
    torch.testing.assert_close(result(x), module(x), rtol=1e-5, atol=1e-5)


def test_mean_over_the_last_axis_becomes_a_spatial_mean() -> None:
    module, x = Lambda(lambda m, x: x.square().mean(-1, keepdim=True)), torch.randn(1, 4, 6)
    result = rewritten(module, x, mean_as_spatial_mean)
    (mean,) = [node for node in result.graph.nodes if node.target == aten.mean.dim]
    assert mean.args[1:] == ([2, 3], True)
    torch.testing.assert_close(result(x), module(x))


def test_a_gain_with_a_second_reader_stays() -> None:
    module = Lambda(lambda m, x: (y := m.layers[0](x)) + 3.0 * y, nn.Linear(4, 4))
    result = rewritten(module, torch.randn(2, 4), sink_gains)
    assert aten.mul.Tensor in targets(result)


def test_branches_of_training_become_one_convolution() -> None:
    torch.manual_seed(0)
    module, x = stirred(nn.Sequential(RepVggBlock(4, 4), MobileOneBlock(4, 6))), torch.randn(1, 4, 8, 8)
    before = copy.deepcopy(module.state_dict())
    result = fold(module, x)
    # One per block, where there were a 3x3 and a 1x1 in each, and the batch norm of the identity in the first.
    assert targets(result).count(aten.conv2d.default) == 2 and aten.batch_norm.default not in targets(result)
    torch.testing.assert_close(result(x), module(x), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 3), nn.Linear(8, 4)], ids=["convolution", "linear"])
def test_weight_norm_is_folded(layer: nn.Module) -> None:
    x = torch.randn(1, 3, 8, 8)
    module = nn.utils.parametrizations.weight_norm(layer).eval()
    result = fold(module, x)
    assert len(targets(result)) == 1
    torch.testing.assert_close(result(x), module(x), rtol=1e-5, atol=1e-6)


def test_constants_get_the_axes_of_what_they_meet() -> None:
    module, x = Lambda(lambda m, x: (x + m.table) * m.table[0, 0] - m.table[0]), torch.randn(1, 2, 3, 4)
    result = rewritten(module, x, fold_constants, constants_with_all_axes)
    met = [arg for node in result.graph.nodes if node.op == "call_function" for arg in node.args if arg.op == "get_attr"]
    # The table, its first row; and its first number, which as a scalar belongs to no layout.
    assert sorted(arg.meta["val"].ndim for arg in met) == [0, 4, 4]
    torch.testing.assert_close(result(x), module(x))


def test_overwriting_a_value_that_a_view_reads_is_refused() -> None:
    def overwrite(module: Lambda, x: Tensor) -> Tensor:
        y = module.layers[0](x)
        seen = y.view(-1)
        return y.relu_() + seen.sum()

    with pytest.raises(ValueError, match="overwrites"):
        rewritten(Lambda(overwrite, nn.Linear(4, 4)), torch.randn(2, 4), make_functional)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "editor", "text editor"])
def test_networks_keep_their_function(kind: str) -> None:
    torch.manual_seed(0)
    config = small_config()
    network, shape = {
        "encoder": (lambda: Encoder(config.encoder), (1, 3, 32, 32)),
        "decoder": (lambda: build_decoder(config.decoder), (1, 6, 16)),
        "editor": (lambda: PromptEditor(config.editor), (1, 6, 16)),
        "text editor": (lambda: PackedTextEditor(TextConditionedEditor(config.editor, 24)), (1, 8, 16)),
    }[kind]
    module = stirred(network())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    x = torch.randn(shape)
    folded = fold(module, torch.zeros(shape))
    torch.testing.assert_close(folded(x), module(x), rtol=1e-4, atol=1e-5 * float(module(x).abs().max()))
    formed = slices_and_spatial_means(folded, job("part", x))
    torch.testing.assert_close(formed(x), folded(x), rtol=1e-5, atol=1e-6)
    unwanted = {aten.batch_norm.default, aten.unsqueeze.default, aten.matmul.default, aten.sum.dim_IntList, aten.expand.default}
    assert not set(targets(folded)) & unwanted and not set(targets(formed)) & (unwanted | {aten.select.int})
    assert all(torch.equal(module.state_dict()[key], value) for key, value in before.items()), "fold changed its argument"


def test_decoder_has_no_gain_left_at_full_resolution() -> None:
    config = small_config()
    folded = fold(stirred(build_decoder(config.decoder)), torch.zeros(1, 6, 16))
    scalar = [n for n in folded.graph.nodes if n.target == aten.mul.Tensor and not isinstance(n.args[1], fx.Node)]
    assert scalar == []


@pytest.mark.parametrize(("stride", "convolutions"), [(1, 0), (2, 1)])
def test_subsampling_becomes_a_convolution(stride: int, convolutions: int) -> None:
    module, x = nn.MaxPool2d(1, stride), torch.randn(1, 3, 6, 6)
    graph_module = rewritten(module, x, subsampling_as_convolution)
    assert torch.equal(graph_module(x), module(x))
    targets = [node.target for node in graph_module.graph.nodes]
    assert aten.max_pool2d.default not in targets and targets.count(aten.conv2d.default) == convolutions


def test_a_form_that_finds_nothing_is_the_graph_itself() -> None:
    module, x = Lambda(lambda m, x: F.relu(m.layers[0](x)), nn.Linear(4, 4)), torch.randn(1, 4)
    graph = fold(module, x)
    assert slices_and_spatial_means(graph, job("part", x)) is graph


def test_a_form_leaves_the_graph_and_its_tensors_as_they_are() -> None:
    module, x = Lambda(lambda m, x: x[:, 1] * m.table[0]), torch.randn(1, 4, 4)
    graph = fold(module, x)
    before, stored = targets(graph), {name: value.clone() for name, value in graph.named_buffers()}
    formed = slices_and_spatial_means(graph, job("part", x))
    assert aten.select.int in before and aten.select.int not in targets(formed)
    assert targets(graph) == before and all(torch.equal(value, stored[name]) for name, value in graph.named_buffers())
    torch.testing.assert_close(formed(x), graph(x))
