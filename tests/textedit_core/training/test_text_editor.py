"""One editor for many texts: its space of texts, its training, and prompts that it serves without an editor of their own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.__main__ import main
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index, write_part
from textedit_core.editor import TextConditionedEditor
from textedit_core.editor.config import text_editor_config
from textedit_core.errors import UserError
from textedit_core.perception.tokenizer import PromptTokenizer
from textedit_core.prompts import Prompt
from textedit_core.synthetic.captions import vocabulary
from textedit_core.training import text_editor_stage
from textedit_core.training.conditioned_prompt import add_conditioned_prompt
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig
from textedit_core.training.prompt_space import EditText, prompt_space, split_texts, understood, with_neutral
from textedit_core.training.text_editor_stage import TextEditorStage

PACE = LoopConfig(images=16, batch_size=8, learning_rate=1e-2, warmup_images=8, sample_images=16, log_steps=2, device="cpu")


def test_space_uses_the_words_of_the_captions() -> None:
    known = set(vocabulary())
    words = {word for each in prompt_space() for text in (each.text, each.neutral_text) for word in re.findall(r"[a-z]+", text)}
    assert words <= known, sorted(words - known)


def test_neutral_text_says_all_but_the_change() -> None:
    texts = {each.text: each for each in prompt_space()}
    assert len(texts) == len(prompt_space()) > 600
    assert texts["an old man with glasses"].neutral_text == "a man"
    assert texts["an old man with glasses"].changes == ("age=old", "glasses=glasses")
    assert texts["pencil sketch of a woman smiling"].neutral_text == "photo of a woman with a neutral face"
    assert texts["a woman with blond hair"].neutral_text == "a woman with brown hair"
    assert all(each.text != each.neutral_text for each in texts.values())


def test_split_does_not_depend_on_the_other_texts() -> None:
    seen, unseen = split_texts(prompt_space(), 8)
    assert not {each.text for each in seen} & {each.text for each in unseen}
    # One in eight: within four standard deviations, sqrt(n p (1 - p)).
    count = len(seen) + len(unseen)
    assert abs(len(unseen) - count / 8) < 4 * (count * 7 / 64) ** 0.5
    assert split_texts(unseen[:10], 8) == ((), unseen[:10])


def test_texts_beyond_vocabulary_or_context_are_left_out() -> None:
    tokenizer = PromptTokenizer.from_captions(["a man smiling", "photo"], 128, 8)
    texts = (
        EditText("a man smiling", "a man", ()),
        EditText("a man frowning", "a man", ()),
        EditText("a man smiling", "a man sad", ()),
        EditText("a man smiling a man smiling a man", "a man", ()),
    )
    assert understood(texts, tokenizer) == texts[:1]


def test_missing_neutral_text_is_found_in_the_space() -> None:
    tokenizer = PromptTokenizer.from_captions(["an old man with glasses", "a man"], 128, 12)
    assert with_neutral(Prompt("p", "An old  man with glasses"), tokenizer).neutral_text == "a man"
    given = Prompt("p", "an old man with glasses", "a woman")
    assert with_neutral(given, tokenizer) is given
    # Neither a text that the space lacks nor a partner of unknown words is made up.
    assert with_neutral(Prompt("p", "a man with an old man"), tokenizer).neutral_text == ""
    assert with_neutral(Prompt("p", "a man smiling"), tokenizer).neutral_text == ""


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny model's captions know hardly a text of the real space, so it gets one of its own."""
    names = ("a female child", "cartoon sketch", "a girl with smile face", "a female photo", "a girl with photo face")
    texts = tuple(EditText(text, neutral, ()) for text in names for neutral in ("photo", "a female adult"))
    monkeypatch.setattr(text_editor_stage, "prompt_space", lambda: texts)
    monkeypatch.setattr(text_editor_stage, "split_texts", lambda given, every: (given[:8], given[8:]))


def _stage(checkpoint: Checkpoint) -> TextEditorStage:
    torch.manual_seed(0)
    return TextEditorStage(EditorTraining(), FacesInMemory(12), FacesInMemory(3, seed=1), 8, checkpoint)


@pytest.mark.usefixtures("few_texts")
def test_stage_writes_the_editor_and_measures_unseen_texts(tiny_checkpoint: Checkpoint) -> None:
    stage = _stage(tiny_checkpoint)
    assert run(stage, PACE, tiny_checkpoint.directory.parent) == "images"
    checkpoint = write_index(tiny_checkpoint.directory, tiny_checkpoint.config, list(tiny_checkpoint.prompts.values()), {})
    editor = checkpoint.load_text_editor()
    assert any(bool(group.leave.weight.any()) for group in editor.groups.values())
    report = json.loads((checkpoint.directory.parent / "text-editor.json").read_text("utf8"))
    assert report == stage.report
    assert (report["seen"]["texts"], report["unseen"]["texts"]) == (8, 2)


def test_too_few_known_texts_are_refused(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(UserError, match="knows the words of . texts, too few"):
        _stage(tiny_checkpoint)


def _with_text_editor(checkpoint: Checkpoint) -> Checkpoint:
    torch.manual_seed(1)
    config = checkpoint.config
    editor = TextConditionedEditor(text_editor_config(config.editor), config.clip.embed_dim)
    for group in editor.groups.values():
        torch.nn.init.normal_(group.leave.weight, std=0.3)
    write_part(checkpoint.directory, "text_editor", editor)
    return write_index(checkpoint.directory, config, list(checkpoint.prompts.values()), {})


def test_prompt_is_added_without_training(tiny_checkpoint: Checkpoint) -> None:
    checkpoint = _with_text_editor(tiny_checkpoint)
    before = dict(checkpoint.files)
    prompt = Prompt("drawn", "cartoon sketch", "photo")
    grown = add_conditioned_prompt(checkpoint.directory, prompt, FacesInMemory(12), EditorTraining())
    assert grown.files == before
    assert grown.prompts["drawn"].conditioned
    editor = grown.load_editor("drawn")
    # The vector's length is the calibration, and the editor's answer is proportional to it.
    vector, factor = grown.text_vector("drawn"), grown.prompts["drawn"].calibration
    assert float(vector.norm()) == pytest.approx(factor, rel=1e-5)
    w_plus = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    unit = grown.load_text_editor()(w_plus, vector[None] / factor)
    assert torch.allclose(editor(w_plus), factor * unit, rtol=1e-4, atol=1e-6)


def test_prompt_is_added_from_the_command_line(
    tiny_checkpoint: Checkpoint, photo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(_with_text_editor(tiny_checkpoint).directory, tmp_path / "run" / "checkpoint")
    where = ["--data", str(photo_folder), "--out", str(tmp_path / "run")]
    assert main(["train", "editor", "--conditioned", "--name", "drawn", "--text", "cartoon sketch", "--neutral-text", "photo", *where]) == 0
    grown = open_checkpoint(tmp_path / "run" / "checkpoint")
    assert grown.prompts["drawn"].conditioned
    assert capsys.readouterr().out == f"{grown.checkpoint_id}\n"


def test_prompt_without_a_text_editor_or_of_a_taken_name_is_refused(tiny_checkpoint: Checkpoint) -> None:
    prompt = Prompt("drawn", "cartoon sketch", "photo")
    with pytest.raises(UserError, match="has no text_editor.safetensors; train it"):
        add_conditioned_prompt(tiny_checkpoint.directory, prompt, FacesInMemory(12), EditorTraining())
    with pytest.raises(UserError, match="has prompt 'smile' already"):
        add_conditioned_prompt(tiny_checkpoint.directory, Prompt("smile", "photo"), FacesInMemory(12), EditorTraining())


def test_conditioned_prompt_survives_the_index(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    prompt = Prompt("drawn", "cartoon sketch", "photo", wordings=("a female child",), groups=("fine",), reached=0.5, conditioned=True)
    write_index(tiny_checkpoint.directory, tiny_checkpoint.config, [prompt], {})
    assert open_checkpoint(tiny_checkpoint.directory).prompts == {"drawn": prompt}
