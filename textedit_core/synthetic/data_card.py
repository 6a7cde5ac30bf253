"""The data card of a rendered dataset: what is in it, counted; how it was made, and what it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Attributes = dict[str, Any]
_MOODS = ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed")
# An activation from here on is called by its name, as in the captions.
_SHOWN = 0.3
_SMILE = 0.5
_TEXT = """# Rendered faces

{count} images of {identities} made-up people, {resolution} px, in `shards/*.tar` (WebDataset layout: an image
and a JSON file share a number).
Rendered from the MakeHuman project's CC0 1.0 head assets by textedit; no photograph and no real person's face is in them.
Licence: {licence}.

## What is in it

{tables}

Counts are of images; a sketch or cartoon is the drawing of a photo that is in the dataset too, so the two share all but the style.
An expression counts from an activation of {shown} on (smile: {smile}).

## Splits

A person is in one split only, by number: of every 20 people number 18 is for validation, number 19 for the test, and the others train.
A larger dataset of the same seed moves nobody: {splits}.

## How it was made

Every person, view and drawing follows from seed {seed}; each image's JSON holds all parameters, the five landmarks in pixels, the
attributes counted above, captions and the image's sha256. Pixels may differ by rounding between graphics drivers, so the hashes are the
reference, not the seed. `dataset.json` lists the shards with their sha256.

## What it is not

It is a clean studio of computer graphics: tight crops, plain backdrops, a few dozen skins, hairstyles and frames, nearly frontal heads.
It stands for no population: ages, sexes and looks are balanced by design, not as they occur. What works here is not shown to
work on photographs of people. It holds nothing to recognise or to judge real persons by, and must not be used for that.
"""


def data_card(index: dict[str, Any], labels: Sequence[Attributes]) -> str:
    """Returns the card of a dataset as Markdown.

    Args:
        index: dataset.json.
        labels: `attributes` of every sample.
    """
    return _TEXT.format(
        count=index["count"],
        identities=index["world"]["identities"],
        resolution=index["resolution"],
        licence=index["world"]["licence"],
        tables="\n\n".join(_table(title, [name(label) for label in labels]) for title, name in _COUNTED.items())
        + "\n\n"
        + _expressions(labels),
        shown=_SHOWN,
        smile=_SMILE,
        splits=", ".join(f"{count} {split}" for split, count in index["splits"].items()),
        seed=index["seed"],
    )


def _age_band(label: Attributes) -> str:
    for limit, name in ((13, "0 to 12"), (20, "13 to 19"), (30, "20 to 29"), (45, "30 to 44"), (60, "45 to 59")):
        if label["age_years"] < limit:
            return name
    return "60 and more"


def _turn(label: Attributes) -> str:
    for low, high in ((0, 5), (5, 10), (10, 20)):
        if abs(label["yaw"]) < high:
            return f"{low:02d} to {high:02d}"
    return "20 and more"


def _skin(label: Attributes) -> str:
    return f"{min(int(label['melanin'] * 5), 4) / 5:.1f} to {min(int(label['melanin'] * 5), 4) / 5 + 0.2:.1f}"


_COUNTED: dict[str, Callable[[Attributes], str]] = {
    "Style": lambda label: label["style"],
    "Age, years": _age_band,
    "Sex": lambda label: "male" if label["male"] else "female",
    "Hair": lambda label: label["hair_color"],
    "Glasses": lambda label: "yes" if label["glasses"] else "no",
    "Skin, melanin": _skin,
    "Head turned, degrees": _turn,
}


def _table(title: str, values: Sequence[str]) -> str:
    counts = Counter(values)
    rows = [f"| {name} | {count} | {100 * count / len(values):.1f}% |" for name, count in sorted(counts.items())]
    return "\n".join([f"| {title} | images | share |", "|---|---|---|", *rows])


def _expressions(labels: Sequence[Attributes]) -> str:
    values = []
    for label in labels:
        moods = [name for name in _MOODS if label[name] >= (_SMILE if name == "smile" else _SHOWN)]
        values.append(" and ".join(moods).replace("_", " ") or "none of these")
    return _table("Expression", values)
