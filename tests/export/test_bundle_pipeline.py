"""A bundle as a pipeline: every network through its runtime, whatever the size of the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.bundle_pipeline import open_pipeline
from export.manifest import MANIFEST_FILE
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.evaluation.pipelines import CheckpointPipeline
from textedit_core.latents import apply_edit


def test_a_bundle_edits_like_the_checkpoint(onnx_bundle: Path, checkpoint: Checkpoint) -> None:
    eager = CheckpointPipeline(checkpoint)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with open_pipeline(onnx_bundle) as exported:
        assert (exported.name, exported.checkpoint_id, exported.prompts) == ("onnx fp16", checkpoint.checkpoint_id, ("smile",))
        drawn = []
        for pipeline in (eager, exported):
            w_plus = pipeline.encode(images)
            drawn.append(pipeline.decode(apply_edit(w_plus, pipeline.delta("smile", w_plus), 1.0)))
    assert drawn[0].shape == drawn[1].shape == (3, 3, 32, 32)
    # fp16 keeps 11 bits; after three networks 1% of the range is far above their rounding and far below a wrong wiring.
    assert float((drawn[0] - drawn[1]).abs().max()) < 0.02 * float(drawn[0].abs().max())


def test_unknown_prompt_is_named(onnx_bundle: Path) -> None:
    with open_pipeline(onnx_bundle) as exported, pytest.raises(UsageError, match="unknown prompt 'child'; this bundle has: smile"):
        exported.delta("child", torch.zeros(1, 6, 16))


def test_a_damaged_bundle_is_refused(onnx_bundle: Path) -> None:
    (onnx_bundle / MANIFEST_FILE).write_text("{}")
    with pytest.raises(UserError), open_pipeline(onnx_bundle):
        pass
