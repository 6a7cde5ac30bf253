"""Labels of scenes: exactly the agreed names, and words that fit what is drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES, attributes
from textedit_core.synthetic.scene import HAIR_SHADES, HAIRS, neutral_scene


def test_names_and_ranges() -> None:
    labels = attributes(replace(neutral_scene(), glasses=2, gender=0.8, smile_toothy=0.7, smile_closed=0.1, yaw=-4.0))
    assert set(labels) == {
        "smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed", "age_years", "male", "glasses",
        "hair_color", "melanin", "yaw", "pitch", "style",
    }
    assert labels["smile"] == 0.7
    assert (labels["male"], labels["glasses"], labels["yaw"]) == (1.0, 1.0, -4.0)
    assert labels["style"] == "photo" and set(STYLES) == {"photo", "sketch", "cartoon"}


@pytest.mark.parametrize(
    ("shade", "word"),
    [("black", "black"), ("dark brown", "brown"), ("brown", "brown"), ("light brown", "brown"), ("blond", "blond"), ("red", "red")],
)
def test_hair_words_of_natural_shades(shade: str, word: str) -> None:
    assert attributes(replace(neutral_scene(), hair_color=HAIR_SHADES[shade]))["hair_color"] == word


@pytest.mark.parametrize("shade", list(HAIR_SHADES))
def test_greyed_hair_is_grey_whatever_it_was(shade: str) -> None:
    scene = replace(neutral_scene(), hair_color=HAIR_SHADES[shade])
    # The docstring of hair_color: greying ends at 75 years, or comes with hair_grey.
    assert attributes(replace(scene, age_years=80.0))["hair_color"] == "grey"
    assert attributes(replace(scene, hair_grey=1.0))["hair_color"] == "grey"


def test_a_bald_head_has_no_hair_colour() -> None:
    labels = attributes(replace(neutral_scene(), hair=HAIRS.index("bald")))
    assert labels["hair_color"] == "bald" and "bald" in HAIR_COLORS
