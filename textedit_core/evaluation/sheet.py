"""The evaluation as one HTML page to look at: faces side by side, strength, worst cases, and every table with its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from textedit_core.atomic import write_text
from textedit_core.checkpoints.networks import FP32
from textedit_core.evaluation.curves import line_chart
from textedit_core.evaluation.judge_card import in_words, judge_figure
from textedit_core.evaluation.pictures import STRIP_FACES, Pictures, PromptPictures, to_image
from textedit_core.evaluation.report import (
    PROMPT_COLUMNS,
    RECONSTRUCTION_COLUMNS,
    STRENGTH_COLUMNS,
    Column,
    cell,
    judge_figures,
    judged_in_words,
    minus_fp32,
    present_columns,
)
from textedit_core.evaluation.rows import GROUND_TRUTH, NO_EDIT
from textedit_core.html_page import html_page, inline_picture

SHOWN_FACES = 6
# Enough to judge a face by; keeps a page of some hundred pictures below ten megabytes.
SIDE = 176

STYLE = """
main{max-width:1240px}
h3{font-size:1rem;margin:28px 0 8px}
.faces{display:grid;gap:8px;margin:12px 0 16px}
.chart{max-width:560px}
svg{width:100%;height:auto}
svg text{font-size:11px;fill:var(--soft)}
small{color:var(--soft)}
td small{display:block;white-space:nowrap}
.warning{color:var(--second);font-weight:600}
"""

_READING = (
    "<b>ground truth</b>: the very person, pose, light and background, rendered with the attribute changed.",
    "<b>oracle</b>: the ground truth through this encoder and decoder: how much of it they can show at all.",
    "<b>no edit</b>: the reconstruction. Its share of done edits is what the judge finds where nothing was done.",
    "<b>mean direction</b>: the classic baseline, the mean latent difference of ground truth pairs of other people.",
    "<b>fp32</b>: this model's editor. Rows named after a target run the exported files in their real runtime, on fewer groups; "
    "<i>minus fp32</i> compares the same groups.",
    "<b>others unchanged</b>: the mean share of all other attributes that stay within tolerance of the row's own unedited picture.",
    "<b>background drift</b>: mean absolute difference, in levels of 0 to 255, where neither picture shows the figure.",
)


def write_sheet(report: dict[str, Any], pictures: Pictures, path: Path) -> None:
    """Writes the page, atomically; it loads nothing from elsewhere.

    Raises:
        UserError: the file cannot be written.
    """
    body = "".join(
        [
            _header(report),
            f"<section><h2>How to read this</h2><ul>{''.join(f'<li>{line}</li>' for line in _READING)}</ul></section>",
            f"<section><h2>Reconstruction</h2>{_table('row', report['reconstruction'], RECONSTRUCTION_COLUMNS)}"
            f"{_faces({'photo': pictures.photos, **pictures.reconstructions})}</section>",
            *(_prompt(name, block, report, pictures) for name, block in report["prompts"].items()),
            _photograph(report["out_of_domain"], pictures),
            _judges(report),
        ]
    )
    write_text(path, html_page(f"Evaluation of {report['checkpoint_id']}", body, STYLE))


def _header(report: dict[str, Any]) -> str:
    data, intervals = report["data"], report["intervals"]
    facts = {
        "counterfactual groups": f"{data['groups']} of {data['people']} people",
        "source": data["source"],
        "intervals": f"{100 * intervals['confidence']:.0f}%, {intervals['resamples']} resamples",
        "took": f"{report['seconds']:.0f} s on {report['threads']} threads",
    }
    cards = "".join(f"<div><dt>{key}</dt><dd>{escape(value)}</dd></div>" for key, value in facts.items())
    return f"<header><h1>Evaluation <span>{escape(report['checkpoint_id'])}</span></h1><dl class=facts>{cards}</dl></header>"


def _prompt(name: str, block: dict[str, Any], report: dict[str, Any], pictures: Pictures) -> str:
    shown = pictures.prompts[name]
    rule = f"Done when {escape(block['rule'])}." if block["rule"] else "No counterfactual has this name: nothing says when it is done."
    judged = f"<p>{rule}{f' The judge on held-out people: {escape(judged_in_words(report, name))}.' if block['judged_by'] else ''}</p>"
    text = f"<p>{escape(repr(block['text']))} at strength {block['strength_default']:g}</p>"
    parts = [f"<h2>{escape(name)}</h2>{text}", _faces({"photo": pictures.photos, **shown.rows}), judged]
    parts += [_table("row", block["rows"], PROMPT_COLUMNS), _differences(block), _drift(block, report)]
    if "strength" in block:
        parts += [_strength(block, shown), _worst(block, shown)]
    return f"<section>{''.join(parts)}</section>"


def _faces(rows: Mapping[str, Mapping[int, Tensor]]) -> str:
    """One grid row per face, one column per name; a picture that a row lacks leaves its place empty."""
    groups = list(next(iter(rows.values())))[:SHOWN_FACES]
    cells = [_picture(row[group], name) if group in row else "<div></div>" for group in groups for name, row in rows.items()]
    return _grid(cells, len(rows))


def _grid(cells: Sequence[str], columns: int, width: int = SIDE) -> str:
    """Cells in rows of `columns`, none wider than `width` pixels."""
    return f'<div class=faces style="grid-template-columns:repeat({columns},minmax(0,{width}px))">{"".join(cells)}</div>'


def _picture(picture: Tensor, label: str) -> str:
    return inline_picture(_shrunk(to_image(picture)), label)


def _shrunk(image: Image.Image) -> Image.Image:
    """Pictures larger than they are shown, made smaller."""
    scale = SIDE / min(image.size)
    return image if scale >= 1.0 else image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def _table(title: str, rows: dict[str, dict[str, Any]], columns: Sequence[Column]) -> str:
    present = present_columns(rows, columns)
    head = "".join(f"<th>{escape(name)}</th>" for name in (title, "n", *(column.heading for column in present)))
    lines = [[name, str(row["groups"]), *(column.text(row) for column in present)] for name, row in rows.items()]
    return f"<table><tr>{head}</tr>{''.join(_line(cells) for cells in lines)}</table>"


def _line(cells: Sequence[str]) -> str:
    """A table row; the interval goes below its mean."""
    first, *rest = (escape(text) for text in cells)
    values = "".join(f"<td>{text.replace(' (', '<small>(', 1) + '</small>' if ' (' in text else text}</td>" for text in rest)
    return f"<tr><td><b>{first}</b></td>{values}</tr>"


def _differences(block: dict[str, Any]) -> str:
    differences = minus_fp32(block)
    return f"<h3>Exported, minus fp32 on the same groups</h3>{_table('row', differences, PROMPT_COLUMNS)}" if differences else ""


def _drift(block: dict[str, Any], report: dict[str, Any]) -> str:
    """How far every other attribute moves, row by row."""
    rows = {name: row for name, row in block["rows"].items() if name != NO_EDIT}
    head = "".join(f"<th>{escape(name)}</th>" for name in ("attribute", "judge on held-out people", *rows))
    lines = []
    for trait in block["others"]:
        trusted = in_words(judge_figure(report["judges"], trait)).removeprefix(f"{trait}: ")
        lines.append(_line([trait, trusted, *(_moved(row["drift"][trait]) for row in rows.values())]))
    return f"<h3>Drift of other attributes: mean change (interval; share unchanged)</h3><table><tr>{head}</tr>{''.join(lines)}</table>"


def _moved(entry: dict[str, Any]) -> str:
    change, kept = cell(entry["change"], 2), cell(entry["unchanged"], 0, percent=True)
    return f"{change.rstrip(')')}; {kept.split(' ')[0]})"


def _strength(block: dict[str, Any], shown: PromptPictures) -> str:
    behaviours = block["strength"]
    strengths = behaviours[FP32]["strengths"]
    chart = line_chart(strengths, [(name, each["score"]) for name, each in behaviours.items()], "strength", f"score, {block['score_unit']}")
    strips = "".join(
        f"<p>{escape(name)}</p>" + "".join(_strip(strip, strengths) for strip in shown.strips[name][:STRIP_FACES]) for name in behaviours
    )
    return f"<h3>Strength</h3><div class=chart>{chart}</div>{_table('row', behaviours, STRENGTH_COLUMNS)}{strips}"


def _strip(strip: Tensor, strengths: Sequence[float]) -> str:
    return _grid([_picture(picture, f"{strength:g}") for picture, strength in zip(strip, strengths, strict=True)], len(strengths))


def _worst(block: dict[str, Any], shown: PromptPictures) -> str:
    columns = ("photo", GROUND_TRUTH, NO_EDIT, FP32)
    unit = " years" if block["score_unit"] == "years" else ""
    cells = []
    for index, case in enumerate(block["worst"]):
        labels = {name: name for name in columns} | {FP32: f"{FP32}: score {case['score']:.2f}{unit}"}
        cells += [_picture(shown.worst[name][index], labels[name]) for name in columns]
    return f'<h3>Worst cases of {FP32}</h3>{_grid(cells, len(columns))}'


def _photograph(block: dict[str, Any], pictures: Pictures) -> str:
    title = f"<h2>A photograph <span class=warning>{escape(block['label'])}</span></h2><p>{escape(block['source'])}</p>"
    if not block["available"]:
        return f"<section>{title}<p>Not shown: {escape(block['reason'])}.</p></section>"
    warning = "<p>The model has seen rendered faces alone. Nothing here says what it does to photographs in general.</p>"
    figures = block["reconstruction"]
    line = f"<p>Reconstruction {figures['psnr_db']:.1f} dB, identity cosine {figures['identity_cosine']:.2f}.</p>"
    cells = [inline_picture(_bounded(image), f"{label} ({block['label']})") for label, image in pictures.out_of_domain]
    return f"<section>{title}{warning}{line}{_grid(cells, 4, 296)}</section>"


def _bounded(image: Image.Image) -> Image.Image:
    copy = image.copy()
    copy.thumbnail((512, 512), Image.Resampling.LANCZOS)
    return copy


def _judges(report: dict[str, Any]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in judge_figures(report))
    return f"<section><h2>The judges on held-out people</h2><p>No figure above is surer than these.</p><ul>{items}</ul></section>"
