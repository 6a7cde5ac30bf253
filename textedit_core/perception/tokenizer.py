"""Word-level tokenizer learned from captions; unknown words are spelled, so any text can be encoded."""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from textedit_core.errors import UserError

FORMAT_VERSION = 1
PAD, START, END, UNKNOWN = "<pad>", "<start>", "<end>", "<unknown>"
_SPECIALS = (PAD, START, END, UNKNOWN)
_CONTINUED = "##"
_ALPHANUMERIC = string.ascii_lowercase + string.digits
# The spelling alphabet: a letter that opens a word, the same letter inside a word, and punctuation.
_ALPHABET = (*_ALPHANUMERIC, *string.punctuation, *(_CONTINUED + letter for letter in _ALPHANUMERIC))
_PIECE = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")


def _pieces(text: str) -> list[str]:
    """Splits text into lower-case words and single symbols; accents are dropped (e.g. 'é' reads as 'e')."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return _PIECE.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


class PromptTokenizer:
    """Maps prompts to fixed-length rows of token ids: ``<start> word ... <end> <pad> ...``.

    A word outside the vocabulary is spelled letter by letter in the WordPiece manner (``cat -> c ##a ##t``); a
    character outside ASCII becomes ``<unknown>``.

    Args:
        vocabulary: tokens in id order. Starts with the special tokens and the spelling alphabet.
        context_length: tokens per row, start and end included.

    Raises:
        UserError: the vocabulary lacks special tokens or letters, or repeats a token.
    """

    def __init__(self, vocabulary: Sequence[str], context_length: int) -> None:
        self.vocabulary = tuple(vocabulary)
        self.context_length = context_length
        self._ids = {token: index for index, token in enumerate(self.vocabulary)}
        missing = [token for token in (*_SPECIALS, *_ALPHABET) if token not in self._ids]
        if missing:
            raise UserError(f"tokenizer vocabulary lacks {', '.join(missing[:5])}; rebuild it from captions")
        if len(self._ids) != len(self.vocabulary):
            raise UserError("tokenizer vocabulary repeats a token; rebuild it from captions")

    @classmethod
    def from_captions(cls, captions: Iterable[str], vocab_size: int, context_length: int) -> PromptTokenizer:
        """Learns the most frequent words of the captions (ties in alphabetical order).

        Args:
            captions: training texts; each must fit ``context_length``.
            vocab_size: upper bound on the number of tokens, special tokens and alphabet included.
            context_length: tokens per row, start and end included.

        Raises:
            UserError: ``vocab_size`` cannot hold the alphabet, or a caption is too long.
        """
        captions = list(captions)
        base = (*_SPECIALS, *_ALPHABET)
        if vocab_size < len(base):
            raise UserError(f"vocab_size {vocab_size} is below the {len(base)} tokens of the spelling alphabet")
        counts = Counter(piece for caption in captions for piece in _pieces(caption))
        ranked = sorted((word for word in counts if word not in base), key=lambda word: (-counts[word], word))
        tokenizer = cls((*base, *ranked[: vocab_size - len(base)]), context_length)
        tokenizer.encode(sorted(set(captions)))
        return tokenizer

    @property
    def end_id(self) -> int:
        """Id of the end token, whose position the text tower reads."""
        return self._ids[END]

    @property
    def pad_id(self) -> int:
        """Id of the padding token."""
        return self._ids[PAD]

    def __len__(self) -> int:
        return len(self.vocabulary)

    def tokens(self, text: str) -> list[str]:
        """Splits text into vocabulary tokens, without start, end and padding."""
        return [token for piece in _pieces(text) for token in self._spell(piece)]

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that are no token of their own: the training captions lacked them or held them too rarely."""
        return list(dict.fromkeys(piece for piece in _pieces(text) if piece not in self._ids))

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Encodes texts as int64 [B, context_length].

        Raises:
            UserError: a text does not fit; nothing is cut off silently.
        """
        return torch.tensor([self._row(text) for text in texts], dtype=torch.int64).view(-1, self.context_length)

    def decode(self, row: Iterable[int]) -> str:
        """Returns the lower-case text of one row of ids, pieces separated by single spaces."""
        tokens = [self.vocabulary[int(index)] for index in row]
        words = " ".join(token for token in tokens if token not in (PAD, START, END))
        return words.replace(" " + _CONTINUED, "")

    def to_json(self) -> str:
        """Serialises the tokenizer; equal tokenizers give equal bytes."""
        document = {
            "format_version": FORMAT_VERSION,
            "context_length": self.context_length,
            "vocabulary": self.vocabulary,
        }
        return json.dumps(document, indent=1, ensure_ascii=True) + "\n"

    @classmethod
    def from_json(cls, document: str) -> PromptTokenizer:
        """Reads what ``to_json`` wrote.

        Raises:
            UserError: not JSON, another format version, or a damaged vocabulary.
        """
        try:
            fields = json.loads(document)
            version = fields["format_version"]
            vocabulary, context_length = list(fields["vocabulary"]), int(fields["context_length"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"tokenizer file is damaged: {error!r}") from error
        if version != FORMAT_VERSION:
            raise UserError(f"tokenizer format_version {version} is unknown; this code reads {FORMAT_VERSION}")
        return cls(vocabulary, context_length)

    def _spell(self, piece: str) -> list[str]:
        if piece in self._ids:
            return [piece]
        letters = [piece[0], *(_CONTINUED + letter for letter in piece[1:])]
        return [letter if letter in self._ids else UNKNOWN for letter in letters]

    def _row(self, text: str) -> list[int]:
        ids = [self._ids[token] for token in (START, *self.tokens(text), END)]
        if len(ids) > self.context_length:
            limit = self.context_length
            raise UserError(f"text '{text}' needs {len(ids)} tokens; this model reads {limit}: shorten it")
        return ids + [self.pad_id] * (self.context_length - len(ids))
