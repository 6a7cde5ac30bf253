"""The report as a schema-checked value and as plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from textedit_core.errors import UserError
from textedit_core.evaluation.bootstrap import Estimate
from textedit_core.evaluation.judge_card import IDENTITY, in_words, judge_figure

SCHEMA_PATH = Path(__file__).with_name("report.schema.json")
SCHEMA_VERSION = 1


class Column(NamedTuple):
    """A measure as a column of a table: its key, its heading, and how its numbers are written."""

    key: str
    heading: str
    digits: int
    percent: bool = False

    def text(self, row: dict[str, Any]) -> str:
        """The row's estimate; a dash where it has none."""
        return cell(row.get(self.key), self.digits, self.percent)


RECONSTRUCTION_COLUMNS = (
    Column("psnr_db", "PSNR, dB", 2),
    Column("perceptual", "perceptual distance", 3),
    Column("identity_cosine", "identity cosine", 3),
    Column("identified", "found again", 0, True),
    Column("recogniser_cosine", "recogniser cosine", 3),
)
PROMPT_COLUMNS = (
    Column("success", "done", 0, True),
    Column("psnr_to_truth_db", "PSNR to truth, dB", 2),
    Column("perceptual_to_truth", "perceptual to truth", 3),
    Column("identity_to_reconstruction", "identity to unedited", 3),
    Column("identity_to_photo", "identity to photo", 3),
    Column("recogniser_to_reconstruction", "recogniser to unedited", 3),
    Column("recogniser_to_photo", "recogniser to photo", 3),
    Column("unchanged", "others unchanged", 0, True),
    Column("background_drift", "background drift", 2),
    Column("text_match_self_report", "text match (self-report)", 3),
)
STRENGTH_COLUMNS = (Column("monotone", "faces monotone", 0, True), Column("spearman", "rank correlation", 2))


def validate(report: dict[str, Any]) -> None:
    """Checks a report against report.schema.json.

    Raises:
        UserError: it does not fit; the message says where.
    """
    import jsonschema

    schema = json.loads(SCHEMA_PATH.read_text("utf8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(json.loads(json.dumps(report))):
        where = "/".join(map(str, error.path)) or "top level"
        raise UserError(f"the evaluation's report breaks its schema at {where}: {error.message[:200]}")


def format_report(report: dict[str, Any]) -> str:
    """The report as plain text tables: means with their intervals, a table per prompt, and how far the judges can be trusted."""
    data, intervals = report["data"], report["intervals"]
    lines = [
        f"{report['checkpoint_id']} on {data['groups']} counterfactual groups of {data['people']} people ({data['source']})",
        f"mean ({100 * intervals['confidence']:.0f}% bootstrap interval over groups)",
        "",
        *_table("reconstruction", report["reconstruction"], RECONSTRUCTION_COLUMNS),
    ]
    for name, block in report["prompts"].items():
        lines += ["", f'{name}: "{block["text"]}" at strength {block["strength_default"]:g}; {_rule(block)}']
        lines += [f"judge on held-out people: {judged_in_words(report, name)}"] if block["judged_by"] else []
        lines += _table("row", block["rows"], PROMPT_COLUMNS)
        differences = minus_fp32(block)
        lines += _table("minus fp32", differences, PROMPT_COLUMNS) if differences else []
        lines += [_strength_line(row, behaviour) for row, behaviour in block.get("strength", {}).items()]
    recogniser = report["recogniser"]
    lines += ["", f"recogniser: {recogniser['file']}, {recogniser['numbers']} numbers"] if recogniser else []
    judges = ["the judges on held-out people, by attribute; no figure above is surer than these:", *judge_figures(report)]
    return "\n".join([*lines, "", *_photograph_lines(report["out_of_domain"]), "", *judges])


def cell(value: Estimate | None, digits: int, percent: bool = False) -> str:
    """An estimate as text: `93% (90 to 96)`; a dash where the measure does not apply."""
    if value is None:
        return "-"
    factor, unit = (100.0, "%") if percent else (1.0, "")
    # Rounded first, since adding zero turns the minus of a rounded -0.0 into a plain zero.
    mean, low, high = (f"{round(factor * value[key], digits) + 0.0:.{digits}f}" for key in ("value", "low", "high"))
    return f"{mean}{unit} ({low} to {high})"


def present_columns(rows: dict[str, dict[str, Any]], columns: Sequence[Column]) -> list[Column]:
    """The columns that at least one row has an estimate for."""
    return [column for column in columns if any(row.get(column.key) is not None for row in rows.values())]


def minus_fp32(block: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By exported row of a prompt, its paired differences to fp32 in the form of a row."""
    return {name: {"groups": row["groups"], **row["minus_fp32"]} for name, row in block["rows"].items() if "minus_fp32" in row}


def judge_figures(report: dict[str, Any]) -> list[str]:
    """How well the judges read, on people that they were not trained on, every attribute that a figure of the report comes from."""
    used = dict.fromkeys(name for block in report["prompts"].values() for name in (*block["judged_by"], *block["others"]))
    return [in_words(judge_figure(report["judges"], name)) for name in (*used, IDENTITY)]


def judged_in_words(report: dict[str, Any], prompt: str) -> str:
    """The same for the verdict of one prompt, in one line; empty for a prompt without one."""
    figures = [judge_figure(report["judges"], name, prompt) for name in report["prompts"][prompt]["judged_by"]]
    return "; ".join(in_words(figure) for figure in figures)


def _rule(block: dict[str, Any]) -> str:
    return f"done when {block['rule']}" if block["rule"] else "no counterfactual of this name, so that nothing says when it is done"


def _table(title: str, rows: dict[str, dict[str, Any]], columns: Sequence[Column]) -> list[str]:
    present = present_columns(rows, columns)
    cells = [[title, "n", *(column.heading for column in present)]]
    cells += [[name, str(row["groups"]), *(column.text(row) for column in present)] for name, row in rows.items()]
    widths = [max(len(line[index]) for line in cells) for index in range(len(cells[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _strength_line(row: str, behaviour: dict[str, Any]) -> str:
    curve = ", ".join(
        f"{strength:g}: {score['value']:.2f}" for strength, score in zip(behaviour["strengths"], behaviour["score"], strict=True)
    )
    monotone, spearman = (column.text(behaviour) for column in STRENGTH_COLUMNS)
    return f"score of {row} over strength (n {behaviour['groups']}): {curve}; monotone {monotone}, Spearman {spearman}"


def _photograph_lines(block: dict[str, Any]) -> list[str]:
    if not block["available"]:
        return [f"{block['label']}: not measured, {block['reason']}"]
    reconstruction = block["reconstruction"]
    edits = (
        f"{name} {edit['score_before']:.2f} to {edit['score']:.2f}, {'done' if edit['success'] else 'not done'}"
        for name, edit in block["edits"].items()
        if "success" in edit
    )
    figures = f"{reconstruction['psnr_db']:.1f} dB, identity {reconstruction['identity_cosine']:.2f}"
    if "recogniser_cosine" in reconstruction:
        figures += f", recogniser {reconstruction['recogniser_cosine']:.2f}"
    return [f"{block['label']} ({block['source']}): reconstruction {figures}", f"judge's score there: {'; '.join(edits)}"]
