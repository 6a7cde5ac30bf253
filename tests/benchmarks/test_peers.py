"""The comparison of runtimes on a tiny decoder: the naive form is the same function, and results keep their schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import peers
from benchmarks.__main__ import main
from benchmarks.naive_decoder import RuntimeWeightConv2d, naive_copy
from benchmarks.peers import REFERENCE, SCHEMA_PATH, interleaved_times, measure
from benchmarks.request import PeersRequest
from benchmarks.results import validate
from textedit_core.config import preset
from textedit_core.decoder import build_decoder
from textedit_core.errors import UsageError


@pytest.mark.parametrize("name", ["tiny", "stylegan2_32"])
def test_the_naive_form_is_the_same_function(name: str) -> None:
    torch.manual_seed(0)
    config = preset(name).decoder
    decoder = build_decoder(config).eval()
    naive = naive_copy(decoder)
    assert any(isinstance(module, RuntimeWeightConv2d) for module in naive.modules())
    assert not any(isinstance(module, RuntimeWeightConv2d) for module in decoder.modules())
    w_plus = torch.randn(2, config.num_ws, config.w_dim)
    with torch.no_grad():
        expected = decoder(w_plus)
        # The same sums in another order.
        torch.testing.assert_close(naive(w_plus), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_rounds_meet_every_form_in_turn() -> None:
    order: list[str] = []
    forms = {name: (lambda value, name=name: order.append(name)) for name in "abc"}
    times = interleaved_times(forms, torch.zeros(1), 3, 1)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3, "c": 3}


def test_every_form_is_timed_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise RuntimeError("no compiler here")

    # Neither is of this test: compiling takes long, and the roofline's layers are large.
    monkeypatch.setattr(peers, "_compiled", refuse)
    monkeypatch.setattr(peers, "roofline", lambda scratch, threads: {"convolution fp32": 1.0})
    arguments = ["peers", "--preset", "tiny", "--iterations", "2", "--warmup", "1", "--threads", "1", "--json", str(tmp_path / "p.json")]
    assert main(arguments) == 0
    results = json.loads((tmp_path / "p.json").read_text())
    validate(results, SCHEMA_PATH)
    rows = {row["form"]: row for row in results["rows"]}
    assert len(rows) == 8 and rows[REFERENCE]["over_reference"]["median"] == 1.0
    assert rows["torch.compile, project's form fp32"]["absent"] == "RuntimeError: no compiler here"
    assert all(row["runs"] == 2 for row in rows.values() if "ms" in row)
    assert sum("ms" in row for row in rows.values()) == 7
    printed = capsys.readouterr().out
    assert "not of a phone" in printed and "ONNX Runtime, naive fp32" in printed and "roofline, convolution fp32" in printed


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="--iterations 0 is too small"):
        measure(PeersRequest("tiny", iterations=0))
