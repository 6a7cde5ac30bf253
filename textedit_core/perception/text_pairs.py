"""Texts of a prompt and their embeddings: the target, what it is compared with, and the texts that it must not be mistaken for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.errors import UserError
from textedit_core.perception.clip import ClipModel
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt
from textedit_core.reference_prompts import REFERENCE_PROMPTS

# A prompt without a neutral text is compared with any face.
ANY_FACE = "a face"
# Other texts as near as this to the target (cosine) say the same: contrasting with them would pull the edit back.
_ALIKE = 0.8


@dataclass(frozen=True)
class TextPair:
    """Unit-norm embeddings of what an edit asks for and what it starts from, each float [E] or, for many prompts, [B,E]."""

    text: Tensor
    neutral: Tensor

    @property
    def way(self) -> Tensor:
        """From the neutral text to the target, not normalised."""
        return self.text - self.neutral


def texts_of(prompt: Prompt) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All wordings of the target, and all of the neutral text."""
    return (prompt.text, *prompt.wordings), (prompt.neutral_text or ANY_FACE, *prompt.neutral_wordings)


def embed_prompt(clip: ClipModel, prompt: Prompt) -> TextPair:
    """Embeds a prompt; several wordings are averaged on the sphere (Radford et al. 2021, section 3.1.4).

    Raises:
        UserError: a text has words that the text-image model never saw, or is longer than it reads.
    """
    targets, neutrals = texts_of(prompt)
    for text in (*targets, *neutrals):
        require_known_words(clip.tokenizer, text)
    with torch.no_grad():
        text, neutral = (F.normalize(clip.encode_text(texts).mean(0), dim=0) for texts in (targets, neutrals))
    pair = TextPair(text, neutral)
    if float(pair.way.norm()) < 1e-3:
        raise UserError(f"text {prompt.text!r} reads the same as its neutral text {neutrals[0]!r}; say in the text what changes")
    return pair


def text_vector(pair: TextPair, calibration: float) -> Tensor:
    """What a text-conditioned editor reads, float [E]: the direction of the change, with the prompt's calibration as its length."""
    return calibration * F.normalize(pair.way, dim=-1)


def require_known_words(tokenizer: PromptTokenizer, text: str) -> None:
    """Refuses a text that the text-image model cannot understand.

    Raises:
        UserError: the text is empty, holds words outside the vocabulary (the message names them and near ones), or is too long.
    """
    if not text.strip():
        raise UserError("an edit's text is empty; say what the face shall show, e.g. 'an old man'")
    unknown = tokenizer.unknown_words(text)
    if unknown:
        near = [match for word in unknown for match in difflib.get_close_matches(word, tokenizer.vocabulary, 1)]
        hint = f" (near: {', '.join(near)})" if near else ""
        raise UserError(
            f"text {text!r} has words that this checkpoint's text-image model never saw: {', '.join(unknown)}{hint}; "
            "use words of its captions, or a checkpoint whose text-image model is an open-vocabulary CLIP"
        )
    tokenizer.encode([text])


def other_texts(clip: ClipModel, target: TextPair) -> Tensor:
    """Embeds the reference prompts' texts, which an edit must not be mistaken for, float [K,E].

    Left out are those that say the same as the target, and those with words that the model does not know.

    Args:
        clip: the text-image model.
        target: the edit's own pair, embeddings [E].
    """
    chosen = tuple(p.text for p in REFERENCE_PROMPTS.values() if not clip.tokenizer.unknown_words(p.text))
    if not chosen:
        return target.text.new_empty(0, target.text.shape[-1])
    with torch.no_grad():
        embedded = clip.encode_text(chosen)
    return embedded[embedded @ target.text < _ALIKE]
