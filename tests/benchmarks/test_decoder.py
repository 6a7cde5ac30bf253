"""Scaling rows of a tiny decoder that stands for StyleGAN2, in processes of their own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import decoder
from benchmarks.__main__ import main
from benchmarks.decoder import measure
from benchmarks.request import DecoderRequest
from benchmarks.results import validate
from benchmarks.roofline import Layer
from benchmarks.worker import Worker
from textedit_core import config
from textedit_core.errors import UsageError, UserError


def test_every_side_precision_and_count_of_threads_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_layers: dict[str, Layer]
) -> None:
    monkeypatch.setattr(decoder, "lower_layers", lambda scratch: small_layers)
    monkeypatch.setattr(config, "stylegan2", lambda side: config.tiny())
    arguments = ["decoder", "--sizes", "32", "--threads", "1,2", "--rounds", "2", "--warmup", "1", "--json", str(tmp_path / "d.json")]
    assert main(arguments) == 0
    document = json.loads((tmp_path / "d.json").read_text())
    validate(document)
    rows = {entry["id"]: entry for entry in document["measurements"] if entry["group"] == "one image"}
    assert set(rows) == {f"32 px {precision}, {threads}" for precision in ("fp32", "int8") for threads in ("1 thread", "2 threads")}
    assert all(len(row["samples"]) == 2 and row["scale"] == {"axis": "image side, px", "value": 32} for row in rows.values())
    roof = {entry["id"]: entry["samples"] for entry in document["measurements"] if entry["group"] == "roofline"}
    assert len(roof) == 4
    (gmac,) = next(entry["samples"] for entry in document["measurements"] if entry["unit"] == "GMAC")
    shares = {figure["id"]: figure["samples"] for figure in document["figures"]}
    pace = 1000.0 * gmac / rows["32 px int8, 2 threads"]["samples"][0]
    assert shares["roofline share of 32 px int8, 2 threads"][0] == pytest.approx(pace / max(roof["roofline, convolution int8, 2 threads"]))


def test_a_worker_runs_what_it_holds_and_tells_what_it_cannot(tmp_path: Path, small_layers: dict[str, Layer]) -> None:
    layer = next(iter(small_layers.values()))
    (tmp_path / "broken.pte").write_bytes(b"not a program")
    with Worker(1) as worker:
        run = worker.load("layer", layer.path, layer.spec)
        assert run() > 0.0
        with pytest.raises(UserError, match="broken.pte is refused by its runtime"):
            worker.load("broken", tmp_path / "broken.pte", layer.spec)
        assert run() > 0.0
        worker._process.terminate()
        worker._process.join()
        with pytest.raises(UserError, match="a measuring process died"):
            run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "--rounds 0 is too small"),
        ({"sizes": ()}, "--sizes '': give different"),
        ({"threads": (2, 2)}, "--threads '2,2': give different"),
        ({"threads": (0,)}, "--threads '0': give different"),
    ],
)
def test_bad_requests_are_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measure(dataclasses.replace(DecoderRequest(), **change))


def test_numbers_are_checked_by_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["decoder", "--sizes", "64,large"])
    assert "--sizes: invalid" in capsys.readouterr().err
