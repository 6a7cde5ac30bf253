"""The tokenizer encodes any text, loses nothing silently and survives serialisation."""

from __future__ import annotations

import pytest

from textedit_core.errors import UserError
from textedit_core.perception.tokenizer import PromptTokenizer

CAPTIONS = ["a girl with smile face", "a female child", "cartoon sketch", "a girl, smiling"]


@pytest.fixture
def tokenizer() -> PromptTokenizer:
    return PromptTokenizer.from_captions(CAPTIONS, vocab_size=256, context_length=16)


def test_known_words_are_one_token_each(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.tokens("A Girl, with SMILE") == ["a", "girl", ",", "with", "smile"]


def test_unknown_words_are_spelled(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.tokens("girl zebra2") == ["girl", "z", "##e", "##b", "##r", "##a", "##2"]


@pytest.mark.parametrize("text", ["a girl with smile face", "zebra child", "x9 , ? cartoon", ""])
def test_decode_inverts_encode(tokenizer: PromptTokenizer, text: str) -> None:
    row = tokenizer.encode([text])[0]
    assert row.shape == (16,)
    assert tokenizer.decode(row) == text


def test_accents_are_dropped_and_foreign_symbols_are_unknown(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.tokens("Zoé 笑") == ["z", "##o", "##e", "<unknown>"]


def test_rows_are_start_words_end_padding(tokenizer: PromptTokenizer) -> None:
    row = tokenizer.encode(["female child"])[0].tolist()
    names = [tokenizer.vocabulary[index] for index in row]
    assert names == ["<start>", "female", "child", "<end>"] + ["<pad>"] * 12


def test_the_text_cannot_forge_special_tokens(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.tokens("<end>") == ["<", "e", "##n", "##d", ">"]


def test_json_round_trip_is_exact(tokenizer: PromptTokenizer) -> None:
    document = tokenizer.to_json()
    again = PromptTokenizer.from_json(document)
    assert again.to_json() == document
    assert again.encode(CAPTIONS).equal(tokenizer.encode(CAPTIONS))


def test_vocabulary_prefers_frequent_words() -> None:
    # 108 = 4 special tokens + 36 letters and digits + 32 punctuation marks + 36 continued letters and digits.
    tokenizer = PromptTokenizer.from_captions(CAPTIONS, vocab_size=109, context_length=64)
    assert tokenizer.vocabulary[108:] == ("girl",)  # the only word longer than a letter that occurs twice


def test_too_long_text_is_refused(tokenizer: PromptTokenizer) -> None:
    with pytest.raises(UserError, match="'a a a a a a a a a a a a a a a' needs 17 tokens; this model reads 16"):
        tokenizer.encode([" ".join("a" * 15)])


def test_too_small_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="vocab_size 50 is below the 108 tokens"):
        PromptTokenizer.from_captions(CAPTIONS, vocab_size=50, context_length=16)


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        '{"format_version": 2, "context_length": 4, "vocabulary": []}',
        '{"format_version": 1, "context_length": 4, "vocabulary": ["a"]}',
    ],
)
def test_damaged_files_are_refused(document: str) -> None:
    with pytest.raises(UserError):
        PromptTokenizer.from_json(document)
