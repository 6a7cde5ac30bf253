"""Sweeps over prompts: the list's schema, both engines, killed workers, a head that does not answer; nothing finished is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.prompts import Prompt
from textedit_core.training.editor_recipe import EDITOR_RECIPES, EditorTraining
from textedit_core.training.editor_stage import STAGE
from textedit_core.training.pace import LoopConfig
from textedit_core.training.prompt_list import read_prompts
from textedit_core.training.prompt_task import Workers
from textedit_core.training.run import TrainRequest
from textedit_core.training.sweep import SweepRequest, sweep

# Saved after every step, so that a killed prompt goes on from where it was.
PACE = LoopConfig(images=160, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=1000, device="cpu", save_seconds=0.0)
RECIPE = EditorTraining(faces=8, views=1)
PROMPTS = (
    (Prompt("first", "a female child", "a female adult"), RECIPE),
    (Prompt("second", "cartoon sketch", "photo"), RECIPE),
)


@pytest.fixture
def request_in(photo_folder: Path, tmp_path: Path, tiny_checkpoint_factory: Callable[[Path], Checkpoint]) -> Callable[[str], SweepRequest]:
    """Makes a sweep of two prompts over a fresh tiny checkpoint in the folder of that name."""

    def make(name: str) -> SweepRequest:
        tiny_checkpoint_factory(tmp_path / name / "checkpoint")
        return SweepRequest(TrainRequest(STAGE, "tiny", photo_folder, tmp_path / name, PACE), PROMPTS)

    return make


def _with(request: SweepRequest, *prompts: tuple[Prompt, EditorTraining], **workers: object) -> SweepRequest:
    return SweepRequest(request.base, prompts or request.prompts, Workers(**workers))  # type: ignore[arg-type]


def _assert_same_editors(one: Path, other: Path) -> None:
    for prompt, _ in PROMPTS:
        path = f"checkpoint/editors/{prompt.id}.safetensors"
        expected, found = load_file(str(one / path)), load_file(str(other / path))
        # Stored in fp16, of which a value of 1 has steps of 0.001.
        assert all((expected[name].float() - found[name].float()).abs().max() <= 2e-3 for name in expected)


def test_prompts_join_those_of_the_checkpoint_and_finished_ones_are_skipped(request_in: Callable[[str], SweepRequest]) -> None:
    request = request_in("run")
    assert sweep(request).trained == ["first", "second"]
    checkpoint = open_checkpoint(request.base.out / "checkpoint")
    assert list(checkpoint.prompts) == ["smile", "child", "first", "second"]
    assert checkpoint.load_editor("second")  # its hash is the index's
    assert checkpoint.provenance["editor-first"] == {"images": 160, "seed": 0, "stopped": "images"}
    again = sweep(request)
    assert (again.trained, again.skipped) == ([], ["first", "second"])


def test_prompts_are_listed_in_the_order_of_the_request_whichever_was_first(request_in: Callable[[str], SweepRequest]) -> None:
    request = request_in("run")
    sweep(_with(request, *PROMPTS[1:]))
    assert sweep(request).trained == ["first"]
    assert list(open_checkpoint(request.base.out / "checkpoint").prompts) == ["smile", "child", "first", "second"]


def test_prompt_that_fails_does_not_stop_the_others(request_in: Callable[[str], SweepRequest]) -> None:
    request = request_in("run")
    bad = (Prompt("bad", "an elephant"), RECIPE)
    with pytest.raises(UserError, match="1 of 3 prompts failed, the others are in the checkpoint: bad: .*elephant"):
        sweep(_with(request, bad, *PROMPTS))
    assert list(open_checkpoint(request.base.out / "checkpoint").prompts) == ["smile", "child", "first", "second"]


def test_killed_local_worker_is_replaced_and_nothing_is_lost(request_in: Callable[[str], SweepRequest]) -> None:
    alone, killed = request_in("alone"), request_in("killed")
    sweep(alone)
    with _KilledOnce(killed.base.out, _pool_workers) as killer:
        assert sorted(sweep(_with(killed, workers=2)).trained) == ["first", "second"]
    assert killer.killed
    _assert_same_editors(alone.base.out, killed.base.out)


def test_killed_ray_worker_is_retried_and_nothing_is_lost(
    request_in: Callable[[str], SweepRequest], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setenv("PYTHONPATH", str(repository))  # workers are processes of their own
    alone, killed = request_in("alone"), request_in("killed")
    sweep(alone)
    with _KilledOnce(killed.base.out, _ray_workers) as killer:
        assert sorted(sweep(_with(killed, engine="ray", workers=2)).trained) == ["first", "second"]
    assert killer.killed
    _assert_same_editors(alone.base.out, killed.base.out)
    assert list(open_checkpoint(killed.base.out / "checkpoint").prompts) == ["smile", "child", "first", "second"]


def test_head_that_does_not_answer_is_named(request_in: Callable[[str], SweepRequest]) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    with pytest.raises(UserError, match="no Ray head answers at '127.0.0.1:1'; start one with 'ray start --head'"):
        sweep(_with(request_in("run"), engine="ray", address="127.0.0.1:1"))


def test_unknown_engine_and_missing_checkpoint(request_in: Callable[[str], SweepRequest], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown engine 'dask'; the engines are: local, ray"):
        sweep(_with(request_in("run"), engine="dask"))
    with pytest.raises(UserError, match="is no checkpoint"):
        sweep(SweepRequest(TrainRequest(STAGE, "tiny", tmp_path, tmp_path / "nothing", PACE), PROMPTS))


def _list(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prompts.yaml"
    path.write_text(text, "utf8")
    return path


def test_list_of_prompts(tmp_path: Path) -> None:
    text = """
- {id: old, text: an old man, neutral_text: a man, wordings: [an old woman], names: {en: Old}, recipe: {groups: [coarse], faces: 9}}
- {id: smile}
- {id: teen, text: a child, recipe: smile}
"""
    (old, old_recipe), (smile, smile_recipe), (teen, teen_recipe) = read_prompts(_list(tmp_path, text))
    assert (old.text, old.neutral_text, old.wordings, old.names) == ("an old man", "a man", ("an old woman",), {"en": "Old"})
    assert (old_recipe.groups, old_recipe.faces) == (("coarse",), 9)
    assert smile.text and smile_recipe == EDITOR_RECIPES["smile"] == teen_recipe
    assert teen.names == {"en": "Teen"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: [", "cannot be read as YAML"),
        ("id: old", "holds no list of prompts; each entry is like"),
        ("- {text: an old man}", "entry 1: needs an id"),
        ("- {id: ../up, text: up}", "entry 1: '../up' cannot be a prompt's id; .* such as 'up'"),
        ("- {id: smile}\n- {id: smile}", "has the id 'smile' twice"),
        ("- {id: old}", "entry 1: prompt 'old' has no text"),
        ("- {id: old, text: 3}", "entry 1: text is a text, not 3"),
        ("- {id: old, txt: an old man}", "entry 1: unknown key 'txt'; the keys are: id, names"),
        ("- {id: old, text: an old man, recipe: {face: 3}}", "entry 1: recipe has no 'face'; its fields are"),
        ("- {id: old, text: an old man, recipe: {faces: many}}", "entry 1: recipe's faces is like 1500, not 'many'"),
        ("- {id: old, text: an old man, recipe: smlie}", "entry 1: unknown recipe 'smlie'; the recipes are"),
    ],
)
def test_faults_of_the_list_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_prompts(_list(tmp_path, text))


class _KilledOnce:
    """Kills one worker, found by `workers`, as soon as a prompt's first state was saved; only processes that this test started."""

    def __init__(self, run: Path, workers: Callable[[], list[int]]) -> None:
        self.run, self.workers, self.killed = run, workers, False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _KilledOnce:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            busy = self.workers() if list((self.run / "state").glob("*.pt")) else []
            if busy:
                os.kill(busy[0], signal.SIGKILL)
                self.killed = True
                return
            time.sleep(0.01)


def _processes() -> dict[int, tuple[int, bytes]]:
    """Parent and command line of every process, by its number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = (parent, (folder / "cmdline").read_bytes())
        except (OSError, ValueError):
            continue  # it has just ended
    return found


def _pool_workers() -> list[int]:
    return [number for number, (parent, command) in _processes().items() if parent == os.getpid() and b"spawn_main" in command]


def _ray_workers() -> list[int]:
    processes = _processes()
    own = [number for number, (parent, command) in processes.items() if parent == os.getpid() and b"raylet" in command]
    return [number for number, (parent, command) in processes.items() if parent in own and b"ray::train_prompt" in command]
