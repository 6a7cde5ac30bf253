"""All rows of one prompt: drawn, judged, measured and summed up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from textedit_core.checkpoints.networks import FP32
from textedit_core.config import Prompt
from textedit_core.evaluation.ground_truth import spread
from textedit_core.evaluation.measures import Measures, Question, measure, paired_difference, summarise
from textedit_core.evaluation.panel import Shown
from textedit_core.evaluation.pictures import STRIP_FACES, WORST_FACES, PromptPictures
from textedit_core.evaluation.rows import GROUND_TRUTH, MEAN_DIRECTION, NO_EDIT, ORACLE, mean_directions
from textedit_core.evaluation.setting import Prepared, Setting, Tell, TextMatcher, encode
from textedit_core.evaluation.strength import behaviour, sweep
from textedit_core.latents import apply_edit


@dataclass(frozen=True)
class Row:
    """Edited pictures of the `chosen` groups, at `strength` along `delta_w`, beside what the same row shows unedited."""

    name: str
    chosen: Sequence[int]
    edited: Shown
    unedited: Shown
    delta_w: Tensor | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class PromptResult:
    """A prompt's block of the report, its pictures, and all fp32 edits, uint8 [N,3,C,C]."""

    block: dict[str, Any]
    pictures: PromptPictures
    edits: Tensor


def evaluate_prompt(
    setting: Setting, prompt: Prompt, main: Prepared, bundles: Sequence[Prepared], strength_groups: int, tell: Tell
) -> PromptResult:
    """Measures every row of one prompt.

    Args:
        setting: what the rows share.
        prompt: the prompt.
        main: the checkpoint's networks on all groups.
        bundles: those of exported bundles on their groups; those without this prompt get no row.
        strength_groups: how many groups are drawn over strength.
        tell: called with what is being done.
    """
    question = setting.question(prompt.id)
    rows = {row.name: row for row in _rows(setting, prompt, question, main, bundles, tell)}
    # Where ground truth says whether the edit is done, the training's own model is not asked.
    matcher = TextMatcher(setting.checkpoint) if question.verdict is None else None
    numbers = {name: _measured(setting, prompt, question, row, matcher) for name, row in rows.items()}
    block = _header(setting, prompt, question)
    block["rows"] = {name: summarise(values, setting.seed) for name, values in numbers.items()}
    for bundle in (bundle.networks.name for bundle in bundles if bundle.networks.name in rows):
        difference = paired_difference(numbers[bundle], numbers[FP32], rows[bundle].chosen, setting.seed)
        block["rows"][bundle]["minus_fp32"] = difference
    pictures = PromptPictures({name: _sheet_faces(setting, row) for name, row in rows.items()})
    if question.verdict is not None:
        tell(f"{prompt.id}: strength")
        block["strength"] = _over_strength(setting, question, main, rows, strength_groups, pictures)
        block["worst"] = _worst(setting, question, rows, numbers, pictures)
    return PromptResult(block, pictures, rows[FP32].edited.images)


def _rows(
    setting: Setting, prompt: Prompt, question: Question, main: Prepared, bundles: Sequence[Prepared], tell: Tell
) -> Iterator[Row]:
    everyone = range(len(setting.truth))
    if question.truth is not None:
        yield Row(GROUND_TRUTH, everyone, question.truth, setting.photos)
        tell(f"{prompt.id}: {ORACLE}")
        partners = encode(main.networks, question.truth.images)
        yield Row(ORACLE, everyone, setting.draw(main.networks, partners), main.unedited)
    yield Row(NO_EDIT, everyone, main.unedited, main.unedited)
    if question.truth is not None:
        tell(f"{prompt.id}: {MEAN_DIRECTION}")
        direction = mean_directions(main.w_plus, partners, setting.truth.identities)
        yield _edited_row(setting, MEAN_DIRECTION, main, direction, 1.0)
    for prepared in (main, *bundles):
        networks = prepared.networks
        if prompt.id in networks.prompts:
            tell(f"{prompt.id}: {networks.name}")
            yield _edited_row(setting, networks.name, prepared, networks.delta(prompt.id, prepared.w_plus), prompt.strength_default)


def _edited_row(setting: Setting, name: str, prepared: Prepared, delta_w: Tensor, strength: float) -> Row:
    edited = setting.draw(prepared.networks, apply_edit(prepared.w_plus, delta_w, strength))
    return Row(name, prepared.chosen, edited, prepared.unedited, delta_w, strength)


def _measured(setting: Setting, prompt: Prompt, question: Question, row: Row, matcher: TextMatcher | None) -> Measures:
    asked = question if len(row.chosen) == len(setting.truth) else question.rows(row.chosen)
    numbers = measure(setting.judges, asked, row.edited, row.unedited)
    return numbers if matcher is None else numbers | matcher.measure(prompt, row.edited)


def _header(setting: Setting, prompt: Prompt, question: Question) -> dict[str, Any]:
    verdict = question.verdict
    return {
        "text": prompt.text,
        "strength_default": prompt.strength_default,
        "counterfactual": verdict is not None,
        "rule": verdict.rule if verdict else None,
        "score_unit": verdict.unit if verdict else None,
        "direction": verdict.direction if verdict else None,
        "judged_by": list(verdict.judged_by) if verdict else [],
        "others": list(question.others),
    }


def _sheet_faces(setting: Setting, row: Row) -> dict[int, Tensor]:
    """The pictures of the groups that the sheet shows; a row that covers fewer may lack some."""
    position = {group: index for index, group in enumerate(row.chosen)}
    return {group: row.edited.images[position[group]] for group in setting.sheet_groups if group in position}


def _over_strength(
    setting: Setting, question: Question, main: Prepared, rows: dict[str, Row], count: int, pictures: PromptPictures
) -> dict[str, Any]:
    chosen, behaviours = spread(len(setting.truth), count), {}
    for row in (rows[MEAN_DIRECTION], rows[FP32]):
        assert question.verdict is not None and row.delta_w is not None
        known = {0.0: row.unedited.rows(chosen), row.strength: row.edited.rows(chosen)}
        shown = sweep(lambda w_plus: setting.draw(main.networks, w_plus), main.w_plus[chosen], row.delta_w[chosen], known)
        behaviours[row.name] = {"groups": len(chosen), **behaviour(question.verdict, shown, setting.seed)}
        pictures.add_strips(row.name, [step.images[:STRIP_FACES] for step in shown])
    return behaviours


def _worst(
    setting: Setting, question: Question, rows: dict[str, Row], numbers: dict[str, Measures], pictures: PromptPictures
) -> list[dict[str, Any]]:
    """The faces whose fp32 edit the judge likes least, worst first."""
    assert question.verdict is not None and question.truth is not None
    scores = numbers[FP32]["score"]
    worst = (scores * question.verdict.direction).argsort(kind="stable")[:WORST_FACES].tolist()
    pictures.worst = {name: shown.images[worst] for name, shown in (("photo", setting.photos), (GROUND_TRUTH, question.truth))}
    pictures.worst |= {NO_EDIT: rows[NO_EDIT].edited.images[worst], FP32: rows[FP32].edited.images[worst]}
    return [{"group": row, "identity": int(setting.truth.identities[row]), "score": float(scores[row])} for row in worst]
