"""The comparison of runtimes on a tiny decoder: the naive form is the same function, and goals follow from the samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import peers
from benchmarks.__main__ import main
from benchmarks.naive_decoder import RuntimeWeightConv2d, naive_copy
from benchmarks.peers import FOLDED_FP32, FOLDED_INT8, NAIVE, ONNX_NAIVE, _conclude, _runs, measure
from benchmarks.request import PeersRequest
from benchmarks.results import Recorder, validate
from benchmarks.roofline import Layer
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


def test_every_form_is_timed_or_says_why_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, small_layers: dict[str, Layer]
) -> None:
    def refuse(*given: object) -> None:
        raise RuntimeError("no compiler here")

    # Neither is of this test: compiling takes long, and the roofline's layers are large.
    monkeypatch.setattr(peers, "compiled_fp32", refuse)
    monkeypatch.setattr(peers, "compiled_int8", refuse)
    monkeypatch.setattr(peers, "lower_layers", lambda scratch: small_layers)
    arguments = ["peers", "--preset", "tiny", "--rounds", "2", "--warmup", "1", "--threads", "1", "--json", str(tmp_path / "p.json")]
    assert main(arguments) == 0
    document = json.loads((tmp_path / "p.json").read_text())
    validate(document)
    forms = {entry["id"]: entry["samples"] for entry in document["measurements"] if entry["group"] == "one image"}
    absent = {entry["id"]: entry["reason"] for entry in document["absent"]}
    assert all(len(samples) == 2 for samples in forms.values())
    assert absent["torch.compile, project's form fp32"] == "RuntimeError: no compiler here"
    # Whatever the runtimes of this machine refuse, no form is lost.
    assert len(forms) + len(absent) == 13 and {FOLDED_INT8, FOLDED_FP32, NAIVE, ONNX_NAIVE} <= set(forms)
    figures = {figure["id"]: figure for figure in document["figures"]}
    assert figures["naive over int8"]["samples"] == [a / b for a, b in zip(forms[NAIVE], forms[FOLDED_INT8], strict=True)]
    assert {name: figure.get("goal") for name, figure in figures.items()} == {
        "naive over int8": {"at_least": 800.0},
        "onnx over int8": {"at_least": 2.5},
        "onnx over fp32": {"at_least": 1.0},
        "roofline share int8": {"at_least": 0.4},
        "roofline share fp32": None,
    }
    printed = capsys.readouterr().out
    assert "not of a phone" in printed and "ONNX Runtime, naive fp32" in printed and "roofline, convolution fp32" in printed


def test_shares_of_the_roofline_follow_from_the_samples() -> None:
    recorder = Recorder("peers", {"model": "m"}, {"rounds": 2}, ("torch",))
    for form, samples in ((FOLDED_INT8, [100.0, 200.0]), (FOLDED_FP32, [500.0, 500.0]), (ONNX_NAIVE, [400.0, 400.0])):
        recorder.measure(form, "one image", "ms", samples)
    recorder.measure("GMAC", "work", "GMAC", [15.0])
    _conclude(recorder, 15.0, {"int8": 300.0, "fp32": 60.0})
    document = recorder.finish()
    figures = {figure["id"]: figure for figure in document["figures"]}
    # 15 GMAC in 0.1 and 0.2 s are 150 and 75 GMAC/s, of 300; in 0.5 s 30, of 60.
    assert figures["roofline share int8"]["samples"] == [0.5, 0.25] and not figures["roofline share int8"]["met"]
    assert figures["roofline share fp32"]["samples"] == [0.5, 0.5]
    # 400 over 100 and 200; 400 over 500.
    assert figures["onnx over int8"]["samples"] == [4.0, 2.0] and figures["onnx over int8"]["met"]
    assert figures["onnx over fp32"]["samples"] == [0.8, 0.8] and not figures["onnx over fp32"]["met"]
    assert [entry["id"] for entry in document["absent"]] == ["naive over int8"]


def test_the_slowest_form_is_left_out_on_request(tmp_path: Path) -> None:
    recorder = Recorder("peers", {"model": "m"}, {"rounds": 2}, ("torch",))
    request = PeersRequest("tiny", naive_executorch=False)
    recorder.measure("GMAC", "work", "GMAC", [15.0])
    _runs(recorder, {NAIVE: lambda: print, ONNX_NAIVE: lambda: print}, request)
    assert recorder.finish()["absent"] == [{"id": NAIVE, "reason": "left out by --no-naive-executorch"}]


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="--rounds 0 is too small"):
        measure(PeersRequest("tiny", rounds=0))
