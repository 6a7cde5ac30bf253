"""The texts that one editor for many texts learns from: every change that the captions have words for, alone and two at a time.

A text comes with the neutral text that says all of it but the change: "pencil sketch of a man smiling" with "photo of a man with a neutral
face". The words are those of the captions (tests hold them to it), so that the text-image model knows them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt

# Two changes at a time are what people type; three leave the text-image model little to tell apart.
MOST_CHANGES = 2

Wordings = dict[str, tuple[str, ...]]

# Per subject: wordings of the adult, and of what age can make of it.
_SUBJECTS: dict[str, Wordings] = {
    "woman": {"": ("woman",), "child": ("girl", "female child"), "old": ("old woman", "elderly woman")},
    "man": {"": ("man",), "child": ("boy", "male child"), "old": ("old man", "elderly man")},
}
_STYLES: Wordings = {"sketch": ("pencil sketch", "cartoon sketch", "line drawing"), "cartoon": ("cartoon", "cartoon drawing")}
_HAIRS: Wordings = {name: (f"with {name} hair",) for name in ("black", "blond", "red", "grey")}
_GLASSES: Wordings = {"glasses": ("with glasses", "wearing glasses")}
_EYES: Wordings = {"closed": ("with closed eyes", "with eyes closed")}
_MOODS: Wordings = {
    "smiling": ("smiling", "with smile face", "with a happy face"),
    "laughing": ("laughing", "with a big smile"),
    "sad": ("sad", "with a sad face"),
    "angry": ("angry", "with an angry face"),
    "surprised": ("surprised", "with a surprised face"),
}
# What the neutral text says in place of a change; an absent thing is not spoken of.
_NEUTRAL = {"style": "photo", "hair": "with brown hair", "glasses": "", "eyes": "", "mood": "with a neutral face"}
_PHRASES: dict[str, Wordings] = {"hair": _HAIRS, "glasses": _GLASSES, "eyes": _EYES, "mood": _MOODS}


@dataclass(frozen=True)
class EditText:
    """A target text, its neutral partner, and what changes between them, e.g. ("age=old", "mood=smiling")."""

    text: str
    neutral_text: str
    changes: tuple[str, ...]


def prompt_space() -> tuple[EditText, ...]:
    """Every text of the space, in a fixed order, each once."""
    found: dict[str, EditText] = {}
    for subject in _SUBJECTS:
        options = _changes(subject)
        for count in range(1, MOST_CHANGES + 1):
            for axes in itertools.combinations(options, count):
                for chosen in itertools.product(*(options[axis] for axis in axes)):
                    each = _composed(subject, dict(zip(axes, chosen, strict=True)))
                    found.setdefault(each.text, each)
    return tuple(found.values())


def understood(texts: Iterable[EditText], tokenizer: PromptTokenizer) -> tuple[EditText, ...]:
    """Those whose words a text-image model knows, and which it can read to the end."""

    def reads(text: str) -> bool:
        # The start and the end of a text take a token each.
        return not tokenizer.unknown_words(text) and len(tokenizer.tokens(text)) + 2 <= tokenizer.context_length

    return tuple(each for each in texts if reads(each.text) and reads(each.neutral_text))


def split_texts(texts: Iterable[EditText], heldout_every: int) -> tuple[tuple[EditText, ...], tuple[EditText, ...]]:
    """Texts to learn from, and about one in `heldout_every` that are never shown; a text's own hash decides, whatever the others are."""
    parts: tuple[list[EditText], list[EditText]] = ([], [])
    for each in texts:
        number = int.from_bytes(hashlib.sha256(each.text.encode()).digest()[:4], "big")
        parts[number % heldout_every == 0].append(each)
    return tuple(parts[0]), tuple(parts[1])


def with_neutral(prompt: Prompt, tokenizer: PromptTokenizer) -> Prompt:
    """Gives a prompt without a neutral text the partner that the space knows for its text; others stay as they are.

    "an old man with glasses" is then compared with "a man", so that nothing asks a woman to become one.
    """
    if prompt.neutral_text:
        return prompt
    wanted = " ".join(prompt.text.lower().split())
    known = understood((each for each in prompt_space() if each.text == wanted), tokenizer)
    return dataclasses.replace(prompt, neutral_text=known[0].neutral_text) if known else prompt


def _changes(subject: str) -> dict[str, list[tuple[str, str]]]:
    """Per axis, the pairs of a value and a wording of it."""
    ages = {value: words for value, words in _SUBJECTS[subject].items() if value}
    axes: dict[str, Wordings] = {"style": _STYLES, "age": ages, **_PHRASES}
    return {axis: [(value, wording) for value, words in values.items() for wording in words] for axis, values in axes.items()}


def _composed(subject: str, chosen: dict[str, tuple[str, str]]) -> EditText:
    words = {axis: wording for axis, (_, wording) in chosen.items()}
    neutral = {axis: _NEUTRAL[axis] for axis in chosen if axis != "age"}
    adult = _SUBJECTS[subject][""][0]
    changes = tuple(f"{axis}={value}" for axis, (value, _) in chosen.items())
    return EditText(_sentence(words, adult), _sentence(neutral, adult), changes)


def _sentence(words: dict[str, str], adult: str) -> str:
    noun = words.get("age", adult)
    parts = [f"{words['style']} of" if "style" in words else "", "an" if noun[0] in "aeiou" else "a", noun]
    return " ".join(part for part in (*parts, *(words.get(axis, "") for axis in _PHRASES)) if part)
