"""The work that is broken off: an export over a good bundle, a prompt more, an update, a training."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.case import Broken
from benchmarks.faults.ground import FIRST, PROMPTS, bundle_in, model_in, photos_in
from benchmarks.faults.watched import Ended, Program, run_watched
from export.bundle import open_bundle
from textedit_core.checkpoints.store import open_checkpoint
from textedit_core.errors import TexteditError

_SECOND = PROMPTS[1]
_UPDATE = "update.zip"


@dataclass(frozen=True)
class Work:
    """One command on files of its own.

    Attributes:
        name: of the work.
        program: whose command it is.
        lay_out: gets the ground and an empty folder, lays there what the command finds, and returns its arguments.
        require_usable: checks the folder after the command was broken off.
        done_already: how the same command refuses to do again what is done; empty where it does not.
    """

    name: str
    program: Program
    lay_out: Callable[[Path, Path], list[str]]
    require_usable: Callable[[Path], None]
    done_already: str = ""

    def completed(self, arguments: list[str]) -> Ended:
        """Runs the command, which nothing disturbs.

        Raises:
            Broken: it does not succeed.
        """
        ended = run_watched(self.program, arguments)
        if ended is None or (ended.status != 0 and not (self.done_already and self.done_already in ended.errors)):
            raise Broken(f"the next {self.name} failed: {ended and ended.errors[-500:]}")
        return ended


def prepare_works(ground: Path) -> None:
    """Makes what the works have in common."""
    for make in (model_in, photos_in, bundle_in):
        make(ground)
    update = ground / _UPDATE
    if not update.exists():
        newer = ground / "newer" / "tiny-onnx.textedit"
        if not newer.exists():
            shutil.copytree(bundle_in(ground), newer)
        ADD_PROMPT.completed(_add_prompt(ground, newer))
        run_watched("export", ["pack", str(newer), "--since", str(bundle_in(ground)), "--out", str(update)])


def _bundle(ground: Path, folder: Path) -> Path:
    path = folder / "out" / "tiny-onnx.textedit"
    shutil.copytree(bundle_in(ground), path)
    return path


def _add_prompt(ground: Path, bundle: Path) -> list[str]:
    return ["add-prompt", str(bundle), "--prompt", _SECOND, "--checkpoint", str(model_in(ground))]


def _lay_out_export(ground: Path, folder: Path) -> list[str]:
    out = _bundle(ground, folder).parent
    flags = ["--checkpoint", str(model_in(ground)), "--prompts", FIRST, "--parity-faces", "2", "--out", str(out)]
    return ["--target", "onnx", *flags]


def _lay_out_training(ground: Path, folder: Path) -> list[str]:
    pace = ["--preset", "tiny", "--images", "16", "--batch-size", "8", "--device", "cpu", "decoder.perceptual=0"]
    return ["train", "autoencoder", "--data", str(photos_in(ground)), "--out", str(folder / "out"), *pace]


def _require_bundle(folder: Path) -> None:
    try:
        with open_bundle(folder / "out" / "tiny-onnx.textedit"):
            pass
    except TexteditError as error:
        raise Broken(f"the bundle that was there is gone or damaged: {error}") from None


def _require_checkpoint(folder: Path) -> None:
    directory = folder / "out" / "checkpoint"
    if not directory.exists():
        return
    try:
        checkpoint = open_checkpoint(directory)
        for name in checkpoint.files:
            checkpoint.verified(name)
    except TexteditError as error:
        raise Broken(f"the checkpoint is damaged: {error}") from None


ADD_PROMPT = Work(
    "add-prompt",
    "export",
    lambda ground, folder: _add_prompt(ground, _bundle(ground, folder)),
    _require_bundle,
    "already has prompt",
)
WORKS = (
    Work("export", "export", _lay_out_export, _require_bundle),
    ADD_PROMPT,
    Work("update", "export", lambda ground, folder: ["update", str(_bundle(ground, folder)), str(ground / _UPDATE)], _require_bundle),
    Work("training", "textedit_core", _lay_out_training, _require_checkpoint),
)
