"""Truthful English captions of scenes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from textedit_core.synthetic.attributes import hair_color_word
from textedit_core.synthetic.scene import EYES, HAIRS, SceneParameters

CHILD_BELOW_YEARS = 13.0
SMILE_FROM = 0.5

_STYLES = {
    "photo": ("photo", "a photo", "portrait", "studio photo", "a studio photo"),
    "sketch": ("pencil sketch", "cartoon sketch", "pencil drawing", "line drawing", "sketch", "a drawing"),
    "cartoon": ("cartoon", "a cartoon", "cartoon drawing", "a cartoon drawing"),
}
_NOUNS = {
    "girl": ("girl", "female child"),
    "boy": ("boy", "male child"),
    "child": ("child", "kid"),
    "woman": ("woman", "female adult", "lady"),
    "young woman": ("woman", "girl", "female adult", "young woman"),
    "old woman": ("old woman", "elderly woman", "woman", "female adult"),
    "man": ("man", "male adult"),
    "young man": ("man", "young man", "male adult"),
    "old man": ("old man", "elderly man", "man", "male adult"),
    "adult": ("adult", "person"),
}
_SMILING = ("smiling", "with a smile", "with smile face", "happy", "with a happy face", "with a smiling face")
_LAUGHING = ("laughing", "with a big smile", "with a toothy smile")
_NEUTRAL = ("with neutral face", "with a neutral face", "with a neutral expression", "serious", "not smiling")
_SAD = ("sad", "with a sad face", "not smiling")
_ANGRY = ("angry", "with an angry face", "not smiling")
_LENGTHS = {"long01": "long", "ponytail01": "long"}
_BACKGROUND_WORDS = ("grey", "dark grey", "blue", "red", "green", "beige", "purple", "light blue")
_SKIN_WORDS = ("light", "medium", "dark")
_HAIR_WORDS = ("black", "brown", "blond", "red", "grey")
_CONNECTIVES = ("a", "an", "of", "with", "and", "hair", "eyes", "skin", "background", "face", "in", "is", "the")
_LONG_FORMS = (
    "{style} of {noun} {mood}", "{noun} {mood}", "{noun} with {hair} {mood}", "{style} of {noun} with {hair}",
    "{noun} with {eyes} {mood}", "{noun} with {skin} {mood}", "{style} of {noun} {mood} in front of a {background}",
    "{noun} with {hair} and {eyes}", "{style} of {noun} with {skin}", "{noun} {mood} , {style}",
    "{noun} with {hair} , {background}", "{noun}", "{style} of {noun}", "{noun} {mood}",
)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def noun_kinds(scene: SceneParameters) -> tuple[str, ...]:
    """Returns the keys of true nouns: by sex and age, and the sexless one."""
    male = scene.gender >= 0.5
    if scene.age_years < CHILD_BELOW_YEARS:
        return ("boy" if male else "girl", "child")
    sex = "man" if male else "woman"
    prefix = "young " if scene.age_years < 40.0 else "old " if scene.age_years >= 62.0 else ""
    return (prefix + sex, "adult")


def _noun(rng: np.random.Generator, scene: SceneParameters) -> str:
    specific, general = noun_kinds(scene)
    words = _NOUNS[specific if rng.random() < 0.85 else general]
    return _article(str(rng.choice(words)))


def mood_phrases(scene: SceneParameters) -> tuple[str, ...]:
    """Returns true mood phrases; empty for a hint of a smile, which no word fits."""
    if scene.smile >= SMILE_FROM:
        laughing = scene.smile_toothy >= 0.7 and scene.mouth_open > 0.2
        return _SMILING + (_LAUGHING if laughing else ())
    if scene.smile > 0.0:
        return ()
    if max(scene.sad, scene.angry) > 0.0:
        return _SAD if scene.sad > 0.0 else _ANGRY
    return _NEUTRAL


def _mood(rng: np.random.Generator, scene: SceneParameters) -> str:
    phrases = mood_phrases(scene)
    if not phrases or rng.random() < 0.15:
        return ""
    # The plain wordings are the ones that people type; keep them frequent.
    favourite = {"smiling": "with smile face", "with neutral face": "with neutral face"}.get(phrases[0])
    return favourite if favourite and rng.random() < 0.3 else str(rng.choice(phrases))


def _hair(rng: np.random.Generator, scene: SceneParameters) -> str:
    length = _LENGTHS.get(HAIRS[scene.hair], "short")
    color = hair_color_word(scene)
    return f"{str(rng.choice([f'{length} {color}', length, color]))} hair"


def background_word(scene: SceneParameters) -> str:
    """Returns the colour word of the backdrop."""
    color = np.array(scene.background)
    if color.max() - color.min() < 0.12 * color.max():
        return "grey" if color.mean() > 0.3 else "dark grey"
    red, green, blue = color
    if red >= green >= blue:
        return "beige" if green > 0.6 * red else "red"
    if green > red and green > blue:
        return "green"
    if red > green:
        return "purple"
    return "light blue" if red + green > 1.2 * blue else "blue"


def _skin(scene: SceneParameters) -> str:
    return f"{_SKIN_WORDS[int(np.digitize(scene.melanin, [0.33, 0.62]))]} skin"


def _long(rng: np.random.Generator, scene: SceneParameters) -> str:
    text = str(rng.choice(_LONG_FORMS)).format(
        style=str(rng.choice(_STYLES[scene.style])),
        noun=_noun(rng, scene),
        mood=_mood(rng, scene),
        hair=_hair(rng, scene),
        eyes=f"{EYES[scene.eye]} eyes",
        skin=_skin(scene),
        background=f"{background_word(scene)} background",
    )
    return re.sub(r"\s+", " ", text).strip(" ,")


def _short(rng: np.random.Generator, scene: SceneParameters) -> str:
    options = [str(rng.choice(_STYLES[scene.style])), _article(str(rng.choice(_NOUNS[noun_kinds(scene)[1]])))]
    if scene.smile >= SMILE_FROM:
        options.append(str(rng.choice(("a smiling face", "smile face", "a smile", "a happy face"))))
    elif _NEUTRAL == mood_phrases(scene):
        options.append(str(rng.choice(("a neutral face", "neutral face", "a neutral expression"))))
    if scene.style == "sketch":
        options.append("cartoon sketch")
    return str(rng.choice(options))


def captions(scene: SceneParameters, rng: np.random.Generator, count: int = 3) -> list[str]:
    """Returns `count` captions; about a third are short."""
    return [_short(rng, scene) if rng.random() < 0.35 else _long(rng, scene) for _ in range(count)]


def vocabulary() -> list[str]:
    """Returns every word that a caption can hold, sorted."""
    sources: list[Sequence[str]] = [*_STYLES.values(), *_NOUNS.values(), _SMILING, _LAUGHING, _NEUTRAL, _SAD, _ANGRY]
    sources += [_BACKGROUND_WORDS, _SKIN_WORDS, _HAIR_WORDS, EYES, _CONNECTIVES]
    sources += [("long", "short", "front", "smile", "smiling", "happy", "neutral", "expression", ",")]
    return sorted({word for source in sources for phrase in source for word in phrase.split()})
