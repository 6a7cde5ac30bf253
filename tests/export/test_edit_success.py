"""Edit success as the second criterion of `auto`: the rule, who judges, the search that goes on, and what is on record."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.attempts import Attempt, Choice, best_mix, require_good
from export.backends import xnnpack
from export.backends.lowered import Lowered
from export.cost import Cost, edits_of, read_costs, with_edits, write_costs
from export.edit_success import NO_VERDICT, PICTURES, EditSuccess, EditTrial, PromptEdits, edit_trial, require_edits, shipped_judge
from export.fold import fold
from export.graphs import DECODER, example_input, graph_spec
from export.manifest import ParityEntry
from export.networks import Networks, load
from export.pipeline import make_part
from export.plan import Plan
from export.precision_search import Mix, MixPoint
from export.report_costs import cost_section
from tests.export.networks import small_config
from textedit_core.alignment import FFHQ_CROP
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.config import ModelConfig
from textedit_core.errors import UserError
from textedit_core.evaluation.verdicts import Attributes
from textedit_core.judges.store import SHIPPED
from textedit_core.synthetic.attributes import STYLES

SIZE = 4
COUNT = {"prompt": "smile", "faces": 24, "done_fp32": 23, "done": 22, "lost": 0}
MIX = {
    "aim_db": 41.0,
    "kept": [],
    "layers": 5,
    "chosen": {"float_layers": 0, "weight_bytes": 7, "psnr_db": 43.0},
    "curve": [{"float_layers": 0, "weight_bytes": 7, "psnr_db": 43.0}],
}


def face(level: float) -> Tensor:
    """A latent [1,1,1] that `draw` paints as one grey, `level` from black to white."""
    return torch.full((1, 1, 1), level)


def draw(w_plus: Tensor) -> Tensor:
    """A picture [1,3,8,8] in [-1,1], drawn at twice the side at which it is judged."""
    return (2.0 * w_plus - 1.0).reshape(1, 1, 1, 1).expand(1, 3, 2 * SIZE, 2 * SIZE)


def level_of(images: Tensor) -> np.ndarray:
    """The grey of uint8 pictures [N,3,4,4], as a level again."""
    assert images.dtype == torch.uint8 and images.shape[1:] == (3, SIZE, SIZE)
    return images.double().mean((1, 2, 3)).numpy() / 255.0


def grey_judge(images: Tensor) -> Attributes:
    """Sees a smile as strong as the picture is bright, 40 years in white, and a sketch as likely as the smile."""
    level = level_of(images)
    style = np.stack([level if name == "sketch" else (1.0 - level) / (len(STYLES) - 1) for name in STYLES], axis=1)
    return {"smile": level, "age_years": 40.0 * level, "style": style}


def compared(prompt: str, levels: Sequence[float], shift: float) -> tuple[int, int, int]:
    """Done with the fp32 decoder, done with one that shifts every grey, and lost."""
    trial = EditTrial({prompt: [face(level) for level in levels]}, grey_judge, draw, SIZE, {})
    (row,) = trial.measure(lambda w_plus: draw(w_plus + shift)).judged
    assert (row.prompt, row.faces) == (prompt, len(levels))
    return row.done_fp32, row.done, row.lost


def test_an_edit_is_lost_when_it_is_undone_by_more_than_the_tolerance() -> None:
    # A smile is done from 0.5, its tolerance is 0.02: 0.505 - 0.015 is undone within it, 0.52 - 0.015 stays done.
    assert compared("smile", [0.9, 0.52, 0.505, 0.3], -0.015) == (3, 2, 0)
    # All but the first fall below by 0.1.
    assert compared("smile", [0.9, 0.52, 0.505, 0.3], -0.1) == (3, 1, 2)


def test_a_score_that_has_to_fall_is_lost_when_it_rises() -> None:
    # A child is younger than 13 years, the tolerance is one: 12.8 years rise to 13.6 within it, by two years they do not.
    assert compared("child", [0.32, 0.1], 0.02) == (2, 1, 0)
    assert compared("child", [0.32, 0.1], 0.05) == (2, 1, 1)


def test_a_choice_is_lost_when_another_class_is_likelier() -> None:
    # Of three styles a sketch is the likeliest from a third on; the tolerance is 0.02.
    assert compared("sketch", [0.34, 0.9], -0.0125) == (2, 1, 0)
    assert compared("sketch", [0.34, 0.9], -0.05) == (2, 1, 1)


def test_a_gained_edit_does_not_make_up_for_a_lost_one() -> None:
    trial = EditTrial({"smile": [face(0.6), face(0.4)]}, grey_judge, draw, SIZE, {})
    success = trial.measure(lambda w_plus: draw(1.0 - w_plus))
    assert success.judged == (PromptEdits("smile", 2, 1, 1, 1),) and success.lost == 1


def test_the_fp32_decoder_draws_once() -> None:
    drawn: list[Tensor] = []

    def counted(w_plus: Tensor) -> Tensor:
        drawn.append(w_plus)
        return draw(w_plus)

    trial = EditTrial({"smile": [face(0.6), face(0.4)]}, grey_judge, counted, SIZE, {})
    assert not drawn
    assert trial.measure(draw) == trial.measure(draw) and len(drawn) == 2


def _config() -> ModelConfig:
    config = small_config()
    return dataclasses.replace(config, pixel=dataclasses.replace(config.pixel, size=SIZE))


def test_only_prompts_with_a_verdict_are_judged_and_at_their_strength() -> None:
    # 0.2 + 0.5 * 0.4 is 0.4, no smile; at strength 1 it would be 0.6.
    edits = {"smile": (lambda w_plus: torch.full_like(w_plus, 0.4), 0.5), "laughing": (torch.zeros_like, 1.0)}
    success = edit_trial(_config(), edits, [face(0.2)], draw, grey_judge).measure(draw)
    assert success == EditSuccess((PromptEdits("smile", 1, 0, 0, 0),), {"laughing": NO_VERDICT})


def test_without_a_judge_every_prompt_has_the_reason() -> None:
    edits = {"smile": (torch.zeros_like, 1.0), "laughing": (torch.zeros_like, 1.0)}
    success = edit_trial(_config(), edits, [face(0.2)], draw, "nobody is here").measure(draw)
    assert success == EditSuccess((), {"smile": "nobody is here", "laughing": "nobody is here"}) and success.lost == 0


@pytest.mark.parametrize("prompts", [("smile",), ("smile", "child", "sketch")])
def test_more_prompts_share_the_pictures(prompts: tuple[str, ...]) -> None:
    faces = [face(0.5)] * (PICTURES + 1)
    success = edit_trial(_config(), dict.fromkeys(prompts, (torch.zeros_like, 1.0)), faces, draw, grey_judge).measure(draw)
    assert [row.faces for row in success.judged] == [PICTURES // len(prompts)] * len(prompts)


def _sized(side: int) -> ModelConfig:
    config = small_config()
    sizes = dataclasses.replace(config.pixel, size=side), dataclasses.replace(config.decoder, img_resolution=side)
    return dataclasses.replace(config, pixel=sizes[0], decoder=sizes[1])


def test_who_judges() -> None:
    # The shipped attribute judge looks at 128 px (judges/config.py); the tiny model draws 32.
    assert shipped_judge(small_config()) == "pictures of 32 px are smaller than the 128 px that the judge looks at"
    imported = dataclasses.replace(_sized(256), crop=FFHQ_CROP)
    assert shipped_judge(imported) == "this model cuts faces out in another way than those that the judge learnt from"
    judge = shipped_judge(_sized(128))
    assert callable(judge)
    seen = judge(torch.zeros(2, 3, 128, 128, dtype=torch.uint8))
    assert seen["smile"].shape == (2,) and seen["style"].shape == (2, len(STYLES))


def test_missing_judges_are_a_reason_and_damaged_ones_an_error(tmp_path: Path) -> None:
    assert shipped_judge(_sized(128), tmp_path / "none") == "this installation has no judges"
    damaged = Path(shutil.copytree(SHIPPED, tmp_path / "damaged"))
    (damaged / "attributes.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"attributes\.safetensors' is damaged"):
        shipped_judge(_sized(128), damaged)


class Painter(nn.Module):
    """The smallest decoder, w_plus [1,6,16] to a picture [1,3,32,32]: one linear layer, soon lowered."""

    def __init__(self) -> None:
        super().__init__()
        self.paint = nn.Linear(6 * 16, 3 * 32 * 32)

    def forward(self, w_plus: Tensor) -> Tensor:
        return torch.tanh(self.paint(w_plus.reshape(1, 6 * 16))).reshape(1, 3, 32, 32)


@pytest.fixture(scope="module")
def networks(checkpoint: Checkpoint) -> Networks:
    """The tiny networks of prompt `smile` with such a decoder, two faces per split."""
    loaded = load(checkpoint, ("smile",), calibration_faces=2, parity_faces=2)
    torch.manual_seed(0)
    return dataclasses.replace(loaded, modules={**loaded.modules, DECODER: Painter().eval()})


def test_a_decoder_that_loses_no_edit_is_kept_at_the_first_aim(networks: Networks, tmp_path: Path) -> None:
    # The judge says of four faces, two held out and two of the calibration, first what fp32 shows. A weaker smile is still one.
    answers = [(0.9, 0.9, 0.4, 0.9), (0.9, 0.6, 0.4, 0.9)]
    stages: list[str] = []

    def judge(images: Tensor) -> Attributes:
        assert images.dtype == torch.uint8 and images.shape == (4, 3, 32, 32)
        return {"smile": np.array(answers.pop(0))}

    spec = graph_spec(DECODER, networks.checkpoint.config)
    plan = Plan(xnnpack.BACKEND, "auto", "tiny", networks.prompts, (spec,), tmp_path)
    edits = {"smile": (networks.modules["editors/smile"], 1.0)}
    faces = (*networks.heldout.latents, *networks.calibration.latents)
    trial = edit_trial(networks.checkpoint.config, edits, faces, networks.modules[DECODER], judge)
    graph = fold(networks.modules[DECODER], example_input(spec))
    cost = make_part(plan, spec, networks, graph, tmp_path, lambda _, stage, __: stages.append(stage), trial).cost
    assert stages == ["lower", "verify", "judge"] and not answers
    # 1 dB is the first margin above the floor of 40 dB.
    assert cost.mix is not None and cost.mix["aim_db"] == 41.0
    assert cost.edits == {"judged": [{"prompt": "smile", "faces": 4, "done_fp32": 3, "done": 3, "lost": 0}], "not_judged": {}}


class Attempts:
    """Makes attempts that reach 2 dB more than their aim in simulation; each file has the decibels and lost edits of its turn."""

    def __init__(self, *files: tuple[float, int]) -> None:
        self.files = list(files)
        self.aims: list[float] = []

    def __call__(self, aim_db: float) -> Attempt:
        self.aims.append(aim_db)
        psnr_db, lost = self.files.pop(0)
        point = MixPoint(0, 1, aim_db + 2.0)
        mix = Mix(aim_db, (), point, 1, (point,))
        success = EditSuccess((PromptEdits("smile", 8, 8, 8 - lost, lost),), {})
        return Attempt(Choice(Lowered({}), (), mix), ParityEntry(psnr_db, 40.0, 0.1, 8), torch.clone, success)


@pytest.mark.parametrize("fault", [(45.0, 1), (39.9, 0)])
def test_lost_edits_and_a_low_psnr_lead_to_a_search_that_aims_higher(fault: tuple[float, int]) -> None:
    attempts = Attempts(fault, (45.0, 0), (45.0, 0))
    made = best_mix(attempts, 40.0)
    # Margins of 1 dB above the floor, then of 3 dB above the 43 dB that the first mix reached.
    assert attempts.aims == [41.0, 46.0] and made.good and made.choice.mix is not None and made.choice.mix.aim_db == 46.0


def test_edits_lost_at_every_aim_are_an_error_that_names_the_prompt() -> None:
    attempts = Attempts((45.0, 3), (45.0, 2), (45.0, 1))
    made = best_mix(attempts, 40.0)
    # The third margin: 6 dB above the 48 dB that the second mix reached.
    assert attempts.aims == [41.0, 46.0, 54.0] and not made.good
    with pytest.raises(UserError) as caught:
        require_good("android decoder (auto)", made)
    assert str(caught.value) == (
        "android decoder (auto) loses edits that the judge finds done with the fp32 network: 1 of 8 of prompt 'smile'. "
        "Choose --precision fp32"
    )


def test_the_error_names_every_prompt_that_loses() -> None:
    rows = PromptEdits("smile", 8, 7, 6, 1), PromptEdits("child", 8, 8, 8, 0), PromptEdits("sketch", 8, 5, 1, 4)
    with pytest.raises(UserError, match=r"loses edits .*: 1 of 7 of prompt 'smile', 4 of 5 of prompt 'sketch'\. Try again"):
        require_edits("decoder", EditSuccess(rows, {}), "Try again")
    require_edits("decoder", EditSuccess(rows[1:2], {"laughing": NO_VERDICT}), "Try again")


def test_the_report_has_a_table_and_the_reasons(tmp_path: Path) -> None:
    edits = {"judged": [COUNT], "not_judged": {"laughing": "no <verdict>", "black_hair": "no <verdict>", "old": "other"}}
    cost = Cost("decoder", {}, 1, 1, 1, mix=MIX, edits=edits)
    page = cost_section((cost,))
    assert "<td><b>smile</b></td><td>24</td><td>23</td><td>22</td><td>0</td>" in page
    assert "Edit success not judged for laughing, black_hair, PSNR alone decides: no &lt;verdict&gt;." in page
    assert "Edit success not judged for old, PSNR alone decides: other." in page
    write_costs(tmp_path, (cost,))
    assert read_costs(tmp_path) == (cost,)
    # Where nothing was judged there is no empty table; a part that is no decoder has neither.
    alone = cost_section((dataclasses.replace(cost, edits={"judged": [], "not_judged": {"old": "other"}}),))
    assert "done, fp32" not in alone and "not judged for old" in alone
    assert "not judged" not in cost_section((dataclasses.replace(cost, edits=None),))


def test_edits_on_record_follow_the_prompts() -> None:
    cost = Cost("decoder", {}, 1, 1, 1, edits={"judged": [COUNT], "not_judged": {"laughing": "why"}})
    grown = with_edits(cost, EditSuccess((PromptEdits("child", 24, 9, 9, 0),), {"old": "other"}))
    assert grown.edits is not None and json.loads(json.dumps(grown.edits)) == grown.edits
    assert [row["prompt"] for row in grown.edits["judged"]] == ["smile", "child"]
    assert edits_of(grown, {"smile", "laughing"}) == cost
    assert edits_of(dataclasses.replace(cost, edits=None), ()).edits is None
    assert with_edits(dataclasses.replace(cost, edits=None), EditSuccess((), {"old": "other"})).edits == {
        "judged": [],
        "not_judged": {"old": "other"},
    }
