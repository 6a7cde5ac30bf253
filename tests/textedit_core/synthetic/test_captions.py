"""Captions: every word true for its scene, every word in the vocabulary, and the prompts word for word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from textedit_core.synthetic.captions import background_word, captions, vocabulary
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import HAIRS, STYLES, SceneParameters, neutral_scene


def _captions(count: int) -> Iterator[tuple[SceneParameters, str]]:
    for k in range(count):
        scene = sample_view(np.random.default_rng([1, k]), sample_identity(np.random.default_rng([0, k])))
        scene = scene.with_style(STYLES[k % 3])
        for caption in captions(scene, np.random.default_rng(k), 8):
            yield scene, caption


def _seen(scene: SceneParameters, draws: int = 300) -> set[str]:
    return {caption for k in range(draws) for caption in captions(scene, np.random.default_rng(k))}


def test_words_are_in_the_vocabulary_and_sentences_are_whole() -> None:
    words = set(vocabulary())
    for _, caption in _captions(400):
        assert set(caption.split()) <= words
        assert caption.split()[-1] not in ("with", "and", ",", "of", "a", "in") and "{" not in caption


def test_ages_and_sexes_are_true() -> None:
    for scene, caption in _captions(400):
        said = set(caption.split())
        if scene.age_years >= 13.0:
            assert not said & {"child", "kid", "boy", "little"}
        else:
            assert not said & {"woman", "man", "adult", "lady", "person", "old", "elderly"}
        if scene.gender >= 0.5:
            assert not said & {"woman", "girl", "female", "lady"}
        else:
            assert not said & {"man", "boy", "male"}
        # 62 years: OLD_FROM_YEARS.
        assert scene.age_years >= 62.0 or not said & {"old", "elderly"}


def test_expressions_are_true() -> None:
    for scene, caption in _captions(600):
        said = set(caption.split())
        if scene.smile < 0.5:
            assert not said & {"smile", "happy", "laughing"} and ("smiling" not in said or "not" in said)
        if said & {"neutral", "serious"}:
            assert max(scene.smile, scene.sad, scene.angry, scene.brow_raise, scene.mouth_open, scene.eyes_closed) == 0.0
        assert scene.sad > 0.0 or not said & {"sad", "unhappy"}
        assert scene.angry > 0.0 or not said & {"angry", "frowning"}
        assert scene.brow_raise >= 0.5 and scene.mouth_open >= 0.4 or not said & {"surprised", "astonished"}
        assert scene.eyes_closed >= 0.5 or "closed" not in said


def test_what_is_worn_and_grown_is_true() -> None:
    for scene, caption in _captions(600):
        said = set(caption.split())
        if said & {"glasses", "eyeglasses", "spectacles"}:
            assert (scene.glasses == 0) == bool(said & {"without", "no"})
        assert scene.bald or not (said & {"bald"} or "no hair" in caption)
        assert scene.stubble >= 0.45 or not said & {"beard", "bearded", "stubble", "unshaven"}
        assert scene.freckles >= 0.3 or not said & {"freckles", "freckled"}
        assert scene.lipstick >= 0.3 or not said & {"lipstick", "lips"}
        assert "long" not in said or HAIRS[scene.hair] == "long01"
        assert "hair" not in said or not scene.bald or "no hair" in caption


def test_styles_are_true() -> None:
    for scene, caption in _captions(400):
        said = set(caption.split())
        assert scene.style == "photo" or not said & {"photo", "portrait"}
        assert scene.style == "sketch" or not said & {"pencil", "sketch", "line"}
        # "cartoon sketch" is a name of the pencil sketch.
        assert scene.style == "cartoon" or "cartoon" not in said or "cartoon sketch" in caption
        assert scene.style == "photo" or "skin" not in said
        assert scene.style != "sketch" or not said & {"background", "blond", "brown", "red", "blue", "green"}


def test_prompt_wordings_occur() -> None:
    young, child = neutral_scene(), replace(neutral_scene(), age_years=7.0)
    seen = _seen(replace(young, smile_toothy=0.9)) | _seen(young) | _seen(child) | _seen(child.with_style("sketch"))
    assert {"a girl with smile face", "a girl with neutral face", "a female child", "a female adult", "cartoon sketch"} <= seen
    assert {"a cartoon", "cartoon drawing"} <= _seen(young.with_style("cartoon"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"glasses": 1}, "glasses"),
        ({"freckles": 1.0}, "freckles"),
        ({"gender": 1.0, "stubble": 0.9}, "beard"),
        ({"gender": 1.0, "hair": HAIRS.index("bald")}, "bald"),
        ({"age_years": 75.0}, "elderly"),
        ({"brow_raise": 0.9, "mouth_open": 0.8}, "surprised"),
        ({"eyes_closed": 1.0}, "closed"),
        ({"hair_grey": 1.0}, "grey"),
        ({"hair_color": (0.42, 0.28, 0.125)}, "blond"),
    ],
)
def test_what_shows_is_said(change: dict[str, object], word: str) -> None:
    scene = replace(neutral_scene(), **change)  # type: ignore[arg-type]
    said = [word in caption.split() for k in range(200) for caption in captions(scene, np.random.default_rng(k))]
    assert np.mean(said) > 0.02


@pytest.mark.parametrize(
    ("color", "word"),
    [((0.70, 0.69, 0.67), "white"), ((0.2, 0.2, 0.21), "dark grey"), ((0.42, 0.20, 0.16), "red"), ((0.24, 0.15, 0.09), "brown"),
     ((0.60, 0.48, 0.18), "yellow"), ((0.18, 0.32, 0.20), "green"), ((0.07, 0.10, 0.22), "dark blue"), ((0.34, 0.24, 0.40), "purple")],
)
def test_backdrops_have_the_colour_that_is_said(color: tuple[float, float, float], word: str) -> None:
    assert background_word(replace(neutral_scene(), background=color)) == word


def test_captions_repeat_with_their_seed() -> None:
    scene = neutral_scene()
    assert captions(scene, np.random.default_rng(3), 5) == captions(scene, np.random.default_rng(3), 5)
