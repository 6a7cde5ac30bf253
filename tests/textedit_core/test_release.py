"""Making a run's checkpoint shippable: sample faces, metrics and an index that covers them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.textedit_core.evaluation.known_faces import BrightnessJudges, NoiseGroups
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.evaluation import EvaluateRequest, evaluate_with
from textedit_core.release import release


@pytest.fixture(autouse=True)
def known_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluates on noise with judges that read brightness, in place of the shipped ones."""

    def evaluate(request: EvaluateRequest) -> dict[str, Any]:
        return evaluate_with(dataclasses.replace(request, groups=8, strength_groups=2), NoiseGroups(), BrightnessJudges())[0]

    monkeypatch.setattr("textedit_core.release.evaluate", evaluate)


def test_released_checkpoint_opens_with_faces_and_metrics(tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "released"
    released = release(tiny_checkpoint.directory, noise_dataset, out)
    assert released == open_checkpoint(out)
    # The noise dataset has 12 training and 6 test photos, fewer than would be taken of a real one.
    assert (len(released.faces("calibration")), len(released.faces("heldout"))) == (12, 6)
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["checkpoint_id"] == released.checkpoint_id != tiny_checkpoint.checkpoint_id
    assert (metrics["data"]["source"], set(metrics["prompts"])) == ("shipped", {"smile", "child"})
    assert released.provenance["dataset"]["count"] == 32
    assert released.load_decoder() is not None


def test_released_again_keeps_documents_and_drops_the_rest(tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "released"
    out.mkdir()
    (out / "MODEL_CARD.md").write_text("card")
    (out / "stale.safetensors").write_bytes(b"old")
    release(tiny_checkpoint.directory, noise_dataset, out)
    assert (out / "MODEL_CARD.md").read_text() == "card"
    assert not (out / "stale.safetensors").exists()


def test_failed_release_leaves_what_was_there(tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "released"
    before = release(tiny_checkpoint.directory, noise_dataset, out)
    (tiny_checkpoint.directory / "decoder.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        release(tiny_checkpoint.directory, noise_dataset, out)
    assert open_checkpoint(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "released"]
