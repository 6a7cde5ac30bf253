"""How many images a second editor training takes on this machine, beside a plain loop of the published mapper recipe.

Three loops with the same networks, faces and batch take their steps in turn, so that a change of the machine's speed meets all of them:
ours, ours without bfloat16 (what the recipe alone gains), and the plain one. What each computes before its first step is timed as well.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import TrainSpeedRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.threads import torch_threads
from benchmarks.timing import interleaved_times, stopwatch
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.training.editor_stage import EditorStage

OURS, OURS_FLOAT32, PLAIN = LOOPS = ("editor training", "editor training in float32", "published mapper loop")

Step = Callable[["Tensor"], object]


def measure(request: TrainSpeedRequest) -> Document:
    """Times the loops.

    Returns:
        A result document: images/s per loop, the ratios to the plain loop within a round, and the seconds per face of what is computed
        beforehand.

    Raises:
        UsageError: a count is below one, or the checkpoint has no such prompt.
        UserError: the checkpoint is damaged, or lacks judges or sample faces.
    """
    from textedit_core.checkpoints.store import open_checkpoint

    require_counts(batch=request.batch, rounds=request.rounds, threads=request.threads)
    if request.warmup < 0:
        raise UsageError(f"--warmup {request.warmup} is negative; give 0 or more")
    checkpoint = open_checkpoint(request.checkpoint)
    checkpoint.prompt(request.prompt)
    settings = {name: getattr(request, name) for name in ("prompt", "batch", "rounds", "warmup", "threads")}
    subject = {"model": checkpoint.config.name, "checkpoint_id": checkpoint.checkpoint_id}
    recorder = Recorder("train", subject, settings, ("torch",))
    with torch_threads(request.threads), tempfile.TemporaryDirectory(prefix="textedit-train-") as folder:
        _record(recorder, request, checkpoint, Path(folder))
    return recorder.finish()


def _record(recorder: Recorder, request: TrainSpeedRequest, checkpoint: Checkpoint, folder: Path) -> None:
    from benchmarks.plain_mapper import PlainMapper

    faces = SampleFaces(checkpoint)
    started = time.perf_counter()
    stage = _editor_stage(request, checkpoint, faces, folder)
    beforehand = (time.perf_counter() - started) / len(stage.faces)
    started = time.perf_counter()
    _editor_stage(request, checkpoint, faces, folder)
    again = time.perf_counter() - started
    plain = PlainMapper(stage.networks, checkpoint.config.editor, checkpoint.prompt(request.prompt).text, stage.faces.latents)
    steps = {OURS: _editor_step(stage, True), OURS_FLOAT32: _editor_step(stage, False), PLAIN: plain.step}
    batches = _batches(len(stage.faces), request.batch)
    timed = {name: stopwatch(_on_next(step), batches[name]) for name, step in steps.items()}
    for name, times in interleaved_times(timed, request.rounds, request.warmup).items():
        recorder.measure(name, "loops", "images/s", [1000.0 * request.batch / value for value in times])
    for name in (OURS, OURS_FLOAT32):
        recorder.ratio(f"{name} over plain", f"{name} over the {PLAIN}", name, PLAIN)
    recorder.measure("first prompt, per face", "before the first step", "s", [beforehand])
    recorder.measure("every other prompt", "before the first step", "s", [again])


def _on_next(step: Step) -> Callable[[Iterator[Tensor]], object]:
    return lambda batches: step(next(batches))


def _batches(faces: int, batch: int) -> dict[str, Iterator[Tensor]]:
    """For each loop an endless row of the same random batches, int64 [batch] each."""
    import torch

    def rows() -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(0)
        while True:
            yield torch.randint(faces, (batch,), generator=generator)

    return {name: rows() for name in LOOPS}


def _editor_stage(request: TrainSpeedRequest, checkpoint: Checkpoint, faces: SampleFaces, folder: Path) -> EditorStage:
    import torch

    from textedit_core.training.editor_recipe import EDITOR_RECIPES, EditorTraining
    from textedit_core.training.editor_stage import EditorStage

    torch.manual_seed(0)
    prompt = dataclasses.replace(checkpoint.prompt(request.prompt), id="timed")
    recipe = EDITOR_RECIPES.get(request.prompt, EditorTraining())
    stage = EditorStage(prompt, recipe, faces, faces, request.batch, checkpoint, cache=folder)
    stage.prepare()
    return stage


def _editor_step(stage: EditorStage, bfloat16: bool) -> Step:
    """A step as the training loop takes it, with its own optimiser, on rows that are drawn by the stage."""
    import torch

    player = stage.players[0]
    trained = [parameter for parameter in player.module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3, betas=(0.9, 0.99))
    counter = iter(range(1 << 30))

    def step(_: Tensor) -> None:
        generator = torch.Generator().manual_seed(next(counter))
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = player.losses(generator, 0.5)["loss"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    return step


class SampleFaces:
    """A checkpoint's own sample faces as training images: enough to time with, too few to train on.

    Raises:
        UserError: the checkpoint has none.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        import torch

        from export.samples import load_face

        paths = checkpoint.faces("calibration")
        if not paths:
            raise UserError(f"checkpoint {str(checkpoint.directory)!r} has no faces/calibration/*.jpg to time with; release it first")
        self.folder, self.pixel = checkpoint.directory / "faces", checkpoint.config.pixel
        self._images = torch.cat([load_face(path, self.pixel) for path in paths])
        self.labels = [{"sha256": checkpoint.files[path.relative_to(checkpoint.directory).as_posix()]["sha256"]} for path in paths]

    def __len__(self) -> int:
        return len(self._images)

    def of_every_style(self) -> SampleFaces:
        """The faces themselves: a checkpoint keeps photographs alone."""
        return self

    def images(self, indices: Tensor | list[int]) -> Tensor:
        """float32 [B,3,S,S] in [-1,1] of the given faces."""
        return self._images[indices]
