"""Networks of one form: the file that a template gives is the file that the backend writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, fx, nn

from export.backends import resolve_backends
from export.backends.backend import Job
from export.backends.lowered import Lowered
from export.backends.static_int8 import quantize, weight_as_int8
from export.fold import fold
from export.graphs import GraphSpec, editor_part, example_input, graph_spec
from export.pipeline import lower
from export.plan import Plan
from export.templates import Templates, form_of
from tests.export.networks import small_config, stirred
from textedit_core.editor import PromptEditor

Network = tuple[GraphSpec, fx.GraphModule]


@pytest.fixture(scope="module")
def editors() -> list[Network]:
    """Three random editors of one form, folded."""
    torch.manual_seed(0)
    made = []
    for name in ("first", "second", "third"):
        spec = graph_spec(editor_part(name), small_config())
        made.append((spec, fold(stirred(PromptEditor(small_config().editor)), example_input(spec))))
    return made


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of every file of a package."""
    files = [path] if path.is_file() else sorted(child for child in path.rglob("*") if child.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize(("target", "precision"), [("android", "int8"), ("ios", "fp16"), ("onnx", "fp16"), ("onnx", "fp32")])
def test_a_third_editor_is_filled_in_with_the_bytes_of_its_own_lowering(
    target: str, precision: str, editors: list[Network], tmp_path: Path
) -> None:
    plan = Plan(resolve_backends(target)[0], precision, "tiny", (), (), tmp_path)
    templates = Templates()
    calibration = tuple(torch.randn(3, 1, *editors[0][0].input.shape[1:], generator=torch.Generator().manual_seed(1)))
    for number, (spec, graph) in enumerate(editors):
        made = lower(plan, Job(spec, precision, calibration), graph, tmp_path / f"{number}{plan.backend.suffix}", 30.0, templates)
    alone = tmp_path / f"alone{plan.backend.suffix}"
    assert lower(plan, Job(editors[2][0], precision, calibration), editors[2][1], alone, 30.0) == made
    assert contents(tmp_path / f"2{plan.backend.suffix}") == contents(alone)
    assert (templates.lowered_in_full, templates.filled) == (2, 1)


def test_an_int8_weight_is_what_quantization_stores() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(24, 12).eval()
    values, scales = weight_as_int8(layer.weight.detach())
    stored = list(quantize(fold(layer, torch.zeros(1, 24)), [torch.randn(1, 24)]).buffers())
    assert any(torch.equal(values, tensor) for tensor in stored if tensor.dtype == torch.int8)
    assert any(torch.equal(scales, tensor.float()) for tensor in stored if tensor.shape == (12,))


# Below, a network is a linear layer, and its "backend" writes weight and bias one after the other behind a header.
Backend = Callable[[fx.GraphModule, Path], Lowered]


def linear(seed: int, change: Callable[[nn.Linear], None] = lambda layer: None) -> fx.GraphModule:
    """A folded linear layer of 16 inputs and 12 outputs."""
    torch.manual_seed(seed)
    layer = nn.Linear(16, 12)
    with torch.no_grad():
        change(layer)
    return fold(layer.eval(), torch.zeros(1, 16))


def stored(graph: fx.GraphModule, path: Path, encode: Callable[[Tensor], Tensor] = lambda value: value) -> Lowered:
    """Writes a graph's constants, each after `encode`."""
    path.write_bytes(b"header" + b"".join(encode(value).numpy().tobytes() for value in form_of(graph).constants.values()))
    return Lowered({"linear": 1})


def verbatim(graph: fx.GraphModule, path: Path) -> Lowered:
    """Writes all that a graph holds."""
    path.write_bytes(b"".join(value.numpy().tobytes() for value in graph.state_dict().values()))
    return Lowered({"linear": 1})


def lower_all(graphs: list[fx.GraphModule], folder: Path, backend: Backend, kept: tuple[str, ...] = ()) -> Templates:
    """Lowers graphs one after the other, and requires of each file that it is what the backend writes."""
    templates = Templates()
    for number, graph in enumerate(graphs):
        path, last = folder / f"{number}.bin", number == len(graphs) - 1
        templates.lower(form_of(graph, kept if last else ()), path, partial(backend, graph, path))
        made = path.read_bytes()
        backend(graph, path)
        assert path.read_bytes() == made
    return templates


def counts(templates: Templates) -> tuple[int, int]:
    """How many networks the backend wrote, and how many were filled in."""
    return templates.lowered_in_full, templates.filled


def test_two_networks_are_lowered_and_the_others_filled_in(tmp_path: Path) -> None:
    assert counts(lower_all([linear(seed) for seed in range(5)], tmp_path, stored)) == (2, 3)


def test_a_package_is_filled_in_as_a_file_is(tmp_path: Path) -> None:
    def package(graph: fx.GraphModule, path: Path) -> Lowered:
        (path / "weights").mkdir(parents=True, exist_ok=True)
        (path / "model").write_text("linear")
        return stored(graph, path / "weights" / "data")

    templates = Templates()
    for seed in range(3):
        path = tmp_path / str(seed)
        templates.lower(form_of(linear(seed)), path, partial(package, linear(seed), path))
    package(linear(2), tmp_path / "alone")
    assert contents(tmp_path / "2") == contents(tmp_path / "alone")
    assert counts(templates) == (2, 1)


def test_what_a_template_does_not_reproduce_is_lowered_in_full(tmp_path: Path) -> None:
    # An encoding that no template knows, and a backend that never writes the same twice.
    graphs = [linear(seed) for seed in range(4)]
    assert counts(lower_all(graphs, tmp_path, lambda graph, path: stored(graph, path, torch.exp))) == (4, 0)

    def dated(graph: fx.GraphModule, path: Path) -> Lowered:
        path.write_text(str(time.perf_counter_ns()))
        return stored(graph, path.with_suffix(".weights"))

    templates = Templates()
    for seed in range(4):
        templates.lower(form_of(linear(seed)), tmp_path / "dated.bin", partial(dated, linear(seed), tmp_path / "dated.bin"))
    assert counts(templates) == (4, 0)


def test_another_form_has_a_template_of_its_own(tmp_path: Path) -> None:
    plain = [linear(seed) for seed in range(3)]
    torch.manual_seed(9)
    wider = fold(nn.Linear(16, 13).eval(), torch.zeros(1, 16))
    followed = fold(nn.Sequential(nn.Linear(16, 12), nn.ReLU()).eval(), torch.zeros(1, 16))
    assert counts(lower_all([*plain, wider, followed], tmp_path, stored)) == (4, 1)
    # The same graph with a layer in float is another file.
    assert counts(lower_all(plain, tmp_path, stored, kept=("linear",))) == (3, 0)


def test_constants_that_say_nothing_about_their_place_belong_to_the_form(tmp_path: Path) -> None:
    def without_bias(layer: nn.Linear) -> None:
        layer.bias.zero_()

    def small_bias(layer: nn.Linear) -> None:
        layer.bias.fill_(0.25)

    # Zeros are everywhere in a file, so a layer with another bias is of another form.
    graphs = [*[linear(seed, without_bias) for seed in range(3)], linear(3, small_bias), linear(4)]
    assert counts(lower_all(graphs, tmp_path, stored)) == (4, 1)


def test_zeros_of_both_signs_are_different_bytes(tmp_path: Path) -> None:
    def zeros(layer: nn.Linear, negative: int) -> None:
        layer.bias.fill_(0.0)[12 - negative :] = -0.0

    graphs = [linear(seed, partial(zeros, negative=number)) for seed, number in enumerate((0, 0, 0, 5, 0))]
    assert counts(lower_all(graphs, tmp_path, verbatim)) == (3, 2)


def test_tables_of_indices_belong_to_the_form(tmp_path: Path) -> None:
    class Picked(nn.Module):
        def __init__(self, order: list[int]) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 12)
            self.register_buffer("order", torch.tensor(order))

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x[:, self.order])

    torch.manual_seed(0)
    order = list(range(16))
    # The last table begins as the others do, and goes on otherwise.
    graphs = [fold(Picked(each).eval(), torch.zeros(1, 16)) for each in (order, order, order, [0, *reversed(order[1:])])]
    assert counts(lower_all(graphs, tmp_path, verbatim)) == (3, 1)


def test_equal_constants_make_a_form(tmp_path: Path) -> None:
    class Twice(nn.Module):
        def __init__(self, equal: bool) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(16, 16), nn.Linear(16, 16)
            if equal:
                self.other.load_state_dict(self.one.state_dict())

        def forward(self, x: Tensor) -> Tensor:
            return self.other(self.one(x))

    torch.manual_seed(0)
    graphs = [fold(Twice(equal).eval(), torch.zeros(1, 16)) for equal in (True, True, False, True)]
    # Backends store equal constants once, as `stored` does.
    assert counts(lower_all(graphs, tmp_path, stored)) == (3, 1)


def test_a_network_that_shares_a_constant_with_the_first_proves_nothing(tmp_path: Path) -> None:
    def same_bias(layer: nn.Linear) -> None:
        layer.bias.copy_(torch.arange(12.0))

    graphs = [linear(0, same_bias), linear(1, same_bias), linear(2), linear(3)]
    assert counts(lower_all(graphs, tmp_path, stored)) == (3, 1)


def test_a_constant_that_half_precision_cannot_hold_is_left_to_the_backend(tmp_path: Path) -> None:
    def halved(graph: fx.GraphModule, path: Path) -> Lowered:
        return stored(graph, path, lambda value: value.half() if value.half().isfinite().all() else value)

    def huge(layer: nn.Linear) -> None:
        layer.weight[0, 0] = 1e6

    assert counts(lower_all([linear(0), linear(1), linear(2, huge), linear(3)], tmp_path, halved)) == (3, 1)
