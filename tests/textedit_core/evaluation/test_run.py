"""The whole evaluation on an untrained model, where every verdict is known, and what it refuses."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.textedit_core.evaluation.known_faces import NoiseGroups
from textedit_core import open_networks
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.evaluation import EvaluateRequest, evaluate_with, format_report, write_sheet
from textedit_core.evaluation.pictures import Pictures, save_contact_sheet


def _request(checkpoint: Checkpoint, **changes: Any) -> EvaluateRequest:
    settings = {"out_of_domain": False, "strength_groups": 4, **changes}
    return EvaluateRequest(checkpoint.directory, **settings)


@pytest.fixture(scope="module")
def untrained(tiny_checkpoint_factory: Any, tmp_path_factory: pytest.TempPathFactory, groups: Any, judges: Any) -> tuple[Any, Pictures]:
    """The report and pictures of editors that return zeros."""
    checkpoint = tiny_checkpoint_factory(tmp_path_factory.mktemp("checkpoint"))
    return evaluate_with(_request(checkpoint), groups, judges)


@pytest.fixture
def untrained_report(untrained: tuple[Any, Pictures]) -> dict[str, Any]:
    """A copy of the report that the test may change."""
    return copy.deepcopy(untrained[0])


def test_untrained_editors_do_what_no_edit_does(untrained_report: dict[str, Any]) -> None:
    for block in untrained_report["prompts"].values():
        edited = block["rows"]["fp32"]
        assert edited == block["rows"]["no edit"]
        # A zero edit shows the reconstruction itself.
        assert edited["identity_to_reconstruction"]["value"] == pytest.approx(1.0, abs=1e-6)
        assert edited["background_drift"]["high"] == 0.0
        assert all(entry["change"]["high"] == 0.0 and entry["unchanged"]["low"] == 1.0 for entry in edited["drift"].values())
        assert block["strength"]["fp32"]["monotone"]["value"] == 1.0
        assert block["strength"]["fp32"]["spearman"] is None


def test_ground_truth_is_always_done_and_equals_itself(untrained_report: dict[str, Any]) -> None:
    # NoiseGroups: smiling partners have red 220/255 = 0.86 >= 0.5; children have green 10/255, 3.9 years < 13.
    for block in untrained_report["prompts"].values():
        truth = block["rows"]["ground truth"]
        assert truth["success"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 16}
        assert truth["psnr_to_truth_db"] is None
        assert truth["perceptual_to_truth"]["value"] == 0.0


def test_a_changed_label_is_no_drift(untrained_report: dict[str, Any]) -> None:
    # The child partners of NoiseGroups are also labelled blond.
    assert "hair_color" not in untrained_report["prompts"]["child"]["others"]
    assert "age_years" not in untrained_report["prompts"]["child"]["others"]
    assert "hair_color" in untrained_report["prompts"]["smile"]["others"]
    assert "age_years" in untrained_report["prompts"]["smile"]["others"]


def test_reconstruction_psnr_is_that_of_the_eight_bit_pictures(tiny_checkpoint: Checkpoint, groups: Any, judges: Any) -> None:
    photos = torch.from_numpy(np.stack([groups[i].source.image for i in range(16)])).permute(0, 3, 1, 2)
    networks, pixels = CheckpointNetworks(tiny_checkpoint), tiny_checkpoint.config.pixel
    drawn = pixels.to_uint8(networks.decode(networks.encode(pixels.from_uint8(photos))))
    # 10 log10(255^2 / MSE) per picture, then averaged.
    error = (drawn.double() - photos.double()).square().mean((1, 2, 3))
    expected = float((10 * torch.log10(255.0**2 / error)).mean())
    report = evaluate_with(_request(tiny_checkpoint, prompts=("smile",)), groups, judges)[0]
    assert report["reconstruction"]["fp32"]["psnr_db"]["value"] == pytest.approx(expected, abs=1e-3)
    assert list(report["prompts"]) == ["smile"]


def test_a_prompt_without_counterfactual_gets_figures_that_need_none(tiny_checkpoint: Checkpoint, judges: Any) -> None:
    smiles_alone = NoiseGroups()
    smiles_alone.edits = ("smile",)
    report = evaluate_with(_request(tiny_checkpoint, prompts=("child",)), smiles_alone, judges)[0]
    block = report["prompts"]["child"]
    assert block["counterfactual"] is False and block["rule"] is None and "strength" not in block
    assert set(block["rows"]) == {"no edit", "fp32"}
    # Zero editors: the text match stays what it was.
    assert block["rows"]["fp32"]["text_match_self_report"] == block["rows"]["no edit"]["text_match_self_report"]
    assert "nothing says when it is done" in format_report(report)


def test_table_names_prompts_rows_and_judges(untrained_report: dict[str, Any]) -> None:
    text = format_report(untrained_report)
    for word in ("smile", "child", "mean direction", "oracle", "fp32", "ground truth", "smile: accuracy 98.0% (n 500)"):
        assert word in text


def test_report_is_json_and_the_same_every_time(tiny_checkpoint: Checkpoint, groups: Any, judges: Any, untrained_report: Any) -> None:
    again = evaluate_with(_request(tiny_checkpoint), groups, judges)[0]
    for report in (again, untrained_report):
        del report["seconds"]
    assert json.dumps(again, allow_nan=False) == json.dumps(untrained_report)


def test_sheet_loads_nothing_from_elsewhere(untrained: tuple[Any, Pictures], tmp_path: Path) -> None:
    write_sheet(*untrained, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text("utf8")
    assert "http" not in page and "<script" not in page and "@import" not in page
    assert page.count("<img") == page.count('src="data:image/jpeg;base64,')
    assert "<svg" in page and "mean direction" in page and "Worst cases" in page


def test_contact_sheet_begins_with_the_photos(untrained: tuple[Any, Pictures], groups: Any, tmp_path: Path) -> None:
    save_contact_sheet(untrained[1].contact, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (4 * 32, 8 * 32, 3)  # rows: photo, reconstruction, two prompts; 8 of 16 faces
    assert np.array_equal(sheet[:32, 32:64], groups[2].source.image)  # every second group
    assert np.array_equal(sheet[32:64], sheet[64:96])  # an untrained editor shows the reconstruction


def _bundle(checkpoint: Checkpoint, **changes: Any) -> SimpleNamespace:
    """A bundle's networks as an entry point gives them: the checkpoint itself under another name."""
    inner = CheckpointNetworks(checkpoint)
    own = {"name": "phone int8", "checkpoint_id": inner.checkpoint_id, "prompts": ("smile",), **changes}
    return SimpleNamespace(encode=inner.encode, delta=inner.delta, decode=inner.decode, **own)


def _register(monkeypatch: pytest.MonkeyPatch, *bundles: SimpleNamespace) -> tuple[Path, ...]:
    """Registers bundles, and gives the paths 0, 1, ... that open them."""

    @contextlib.contextmanager
    def opened(path: Path) -> Iterator[SimpleNamespace]:
        yield bundles[int(path.name)]

    entry = SimpleNamespace(load=lambda: opened)
    monkeypatch.setattr(open_networks, "entry_points", lambda group, name: [entry])
    return tuple(Path(str(index)) for index in range(len(bundles)))


def test_a_bundle_gets_its_row_on_its_groups(
    tiny_checkpoint: Checkpoint, groups: Any, judges: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = _register(monkeypatch, _bundle(tiny_checkpoint))
    report = evaluate_with(_request(tiny_checkpoint, bundles=paths, bundle_groups=8), groups, judges)[0]
    row = report["prompts"]["smile"]["rows"]["phone int8"]
    assert row["groups"] == 8 and report["reconstruction"]["phone int8"]["groups"] == 8
    # The bundle is the checkpoint itself: nothing differs on any group.
    assert row["minus_fp32"]["success"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 8}
    assert "phone int8" not in report["prompts"]["child"]["rows"]


def test_bundles_that_do_not_fit_are_refused(
    tiny_checkpoint: Checkpoint, groups: Any, judges: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting = _bundle(tiny_checkpoint)
    cases = {
        "exported from tiny-0": [_bundle(tiny_checkpoint, checkpoint_id="tiny-0")],
        "two bundles are phone int8": [fitting, fitting],
        "none of the prompts smile, child": [_bundle(tiny_checkpoint, prompts=("sketch",))],
    }
    for message, bundles in cases.items():
        paths = _register(monkeypatch, *bundles)
        with pytest.raises(UserError, match=message):
            evaluate_with(_request(tiny_checkpoint, bundles=paths), groups, judges)


def test_bundles_need_the_package_that_runs_them(
    tiny_checkpoint: Checkpoint, groups: Any, judges: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_networks, "entry_points", lambda group, name: [])
    with pytest.raises(UserError, match="entry point textedit.networks: bundle"):
        evaluate_with(_request(tiny_checkpoint, bundles=(Path("any"),)), groups, judges)


def test_unknown_prompt_and_wrong_counts_are_one_line(tiny_checkpoint: Checkpoint, groups: Any, judges: Any) -> None:
    with pytest.raises(UsageError, match="unknown prompt 'smlie'; this checkpoint has: child, smile"):
        evaluate_with(_request(tiny_checkpoint, prompts=("smlie",)), groups, judges)
    with pytest.raises(UserError, match="7 counterfactual groups are too few"):
        evaluate_with(_request(tiny_checkpoint, groups=7), groups, judges)
    with pytest.raises(UserError, match="has 16 groups, fewer than --groups 17"):
        evaluate_with(_request(tiny_checkpoint, groups=17), groups, judges)


def test_a_photograph_is_labelled_out_of_domain(tiny_checkpoint: Checkpoint, groups: Any, judges: Any, tmp_path: Path) -> None:
    Image.fromarray(groups[0].source.image).save(tmp_path / "photo.png")
    request = _request(tiny_checkpoint, out_of_domain=True, photo=tmp_path / "photo.png")
    report, pictures = evaluate_with(request, groups, judges)
    block = report["out_of_domain"]
    assert (block["label"], block["available"], block["source"]) == ("out of domain", True, "photo.png")
    # A zero edit: the edited crop is the reconstruction.
    assert block["edits"]["smile"]["identity_to_reconstruction"] == pytest.approx(1.0, abs=1e-6)
    assert "smile, pasted" in dict(pictures.out_of_domain)
    assert "out of domain (photo.png)" in format_report(report)


def test_no_photograph_says_why(untrained_report: dict[str, Any]) -> None:
    assert untrained_report["out_of_domain"]["available"] is False
    assert "out of domain: not measured, it was not asked for" in format_report(untrained_report)
