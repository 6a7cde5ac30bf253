"""What templates save: every way and target has its seconds, and the figure follows from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.request import TemplatesRequest
from benchmarks.results import validate
from benchmarks.templates import measure
from tests.export.networks import write_checkpoint, write_text_checkpoint
from textedit_core.checkpoints.store import write_index
from textedit_core.errors import UsageError


def test_both_ways_are_measured(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    document = measure(TemplatesRequest(checkpoint.directory, "onnx", rounds=1))
    validate(document)
    seconds = {entry["id"]: entry["samples"] for entry in document["measurements"]}
    assert list(seconds) == ["onnx: in full", "onnx: with templates"]
    saved = seconds["onnx: in full"][0] - seconds["onnx: with templates"][0]
    # Of two editors there is no third to be filled in, so that either way may be ahead; the goal is for the reference's twelve.
    assert [figure["samples"] for figure in document["figures"]] == ([[saved]] if saved >= 0.0 else [])
    assert [entry["id"] for entry in document["absent"]] == ([] if saved >= 0.0 else ["saved"])
    assert not any(figure["met"] for figure in document["figures"])


def test_a_checkpoint_of_vectors_has_nothing_to_fill_in(tmp_path: Path) -> None:
    whole = write_text_checkpoint(tmp_path / "checkpoint")
    vectors = [prompt for prompt in whole.prompts.values() if prompt.conditioned]
    checkpoint = write_index(whole.directory, whole.config, vectors, whole.provenance)
    with pytest.raises(UsageError, match="has no editors of its own"):
        measure(TemplatesRequest(checkpoint.directory, "onnx", rounds=1))
