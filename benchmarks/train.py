"""How many images a second editor training takes on this machine, beside a plain loop of the published mapper recipe.

Three loops with the same networks, faces and batch take their steps in turn, so that a change of the machine's speed meets all of them:
ours, ours without bfloat16 (what the recipe alone gains), and the plain one. What each computes before its first step is timed as well.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.request import TrainSpeedRequest
from benchmarks.results import describe_host, spread, spread_cell, validate
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.training.editor_stage import EditorStage

SCHEMA_PATH = Path(__file__).with_name("train.schema.json")
SCHEMA_VERSION = 1
LOOPS = ("ours", "ours_float32", "plain")

Step = Callable[["Tensor"], object]


def measure(request: TrainSpeedRequest) -> dict[str, Any]:
    """Times the loops.

    Returns:
        What train.schema.json describes: images/s per loop (median, 10th and 90th percentile over the steps), the ratios to the plain
        loop within a round of steps, and seconds per face of what is computed beforehand.

    Raises:
        UsageError: a count is below one, or the checkpoint has no such prompt.
        UserError: the checkpoint is damaged, or lacks judges or sample faces.
    """
    import torch

    from textedit_core.checkpoints.store import open_checkpoint

    _require_positive(request)
    checkpoint = open_checkpoint(request.checkpoint)
    checkpoint.prompt(request.prompt)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(request.threads)
    try:
        with tempfile.TemporaryDirectory(prefix="textedit-train-") as folder:
            results = _measured(request, checkpoint, Path(folder))
    finally:
        torch.set_num_threads(threads_before)
    validate(results, SCHEMA_PATH)
    return results


def _require_positive(request: TrainSpeedRequest) -> None:
    for name in ("batch", "steps", "threads"):
        if getattr(request, name) < 1:
            raise UsageError(f"--{name} {getattr(request, name)} is too small; give at least 1")
    if request.warmup < 0:
        raise UsageError(f"--warmup {request.warmup} is negative; give 0 or more")


def _measured(request: TrainSpeedRequest, checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    from benchmarks.plain_mapper import PlainMapper

    faces = SampleFaces(checkpoint)
    started = time.perf_counter()
    stage = _editor_stage(request, checkpoint, faces, folder)
    beforehand = (time.perf_counter() - started) / len(stage.faces)
    started = time.perf_counter()
    _editor_stage(request, checkpoint, faces, folder)
    again = time.perf_counter() - started
    plain = PlainMapper(stage.networks, checkpoint.config.editor, checkpoint.prompt(request.prompt).text, stage.faces.latents)
    steps = {"ours": _editor_step(stage, True), "ours_float32": _editor_step(stage, False), "plain": plain.step}
    seconds = _in_turn(steps, len(stage.faces), request)
    return _results(request, checkpoint, seconds, {"first_prompt_s_per_face": beforehand, "next_prompt_s": again})


def _editor_stage(request: TrainSpeedRequest, checkpoint: Checkpoint, faces: SampleFaces, folder: Path) -> EditorStage:
    import torch

    from textedit_core.config import EditorTraining
    from textedit_core.reference_prompts import EDITOR_RECIPES
    from textedit_core.training.editor_stage import EditorStage

    torch.manual_seed(0)
    prompt = dataclasses.replace(checkpoint.prompt(request.prompt), id="timed")
    recipe = EDITOR_RECIPES.get(request.prompt, EditorTraining())
    return EditorStage(prompt, recipe, faces, faces, request.batch, checkpoint, cache=folder)


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


def _in_turn(steps: dict[str, Step], faces: int, request: TrainSpeedRequest) -> dict[str, list[float]]:
    """Seconds of every timed step; who begins a round changes from round to round."""
    import torch

    seconds: dict[str, list[float]] = {name: [] for name in steps}
    generator = torch.Generator().manual_seed(0)
    for turn in range(-request.warmup, request.steps):
        rows = torch.randint(faces, (request.batch,), generator=generator)
        first = turn % len(steps)
        for name in (*LOOPS[first:], *LOOPS[:first]):
            started = time.perf_counter()
            steps[name](rows)
            if turn >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


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


def _results(
    request: TrainSpeedRequest, checkpoint: Checkpoint, seconds: dict[str, list[float]], beforehand: dict[str, float]
) -> dict[str, Any]:
    ratios = {name: [p / own for p, own in zip(seconds["plain"], seconds[name], strict=True)] for name in LOOPS[:-1]}
    return {
        "schema_version": SCHEMA_VERSION,
        "checkpoint_id": checkpoint.checkpoint_id,
        "prompt": request.prompt,
        "host": describe_host(),
        "versions": {"torch": version("torch")},
        "settings": {"batch": request.batch, "steps": request.steps, "warmup": request.warmup, "threads": request.threads},
        "images_per_s": {name: spread([request.batch / value for value in values]) for name, values in seconds.items()},
        "times_plain": {name: spread(values) for name, values in ratios.items()},
        "beforehand": beforehand,
    }


def format_table(results: dict[str, Any]) -> str:
    """Results as a plain text table."""
    settings, host, beforehand = results["settings"], results["host"], results["beforehand"]
    names = {"ours": "editor training", "ours_float32": "the same in float32", "plain": "published mapper loop"}
    lines = [
        f"{results['checkpoint_id']}, prompt {results['prompt']}, on {host['processor']}",
        f"batch {settings['batch']}, {settings['steps']} rounds, {settings['threads']} thread(s); median (10th to 90th percentile)",
        f"{'loop':<24}{'images/s':>26}{'times the published loop':>28}",
    ]
    for key, name in names.items():
        ratio = spread_cell(results["times_plain"][key], 2) if key in results["times_plain"] else "1"
        lines.append(f"{name:<24}{spread_cell(results['images_per_s'][key], 1):>26}{ratio:>28}")
    once = f"{1000 * beforehand['first_prompt_s_per_face']:.0f} ms per face once in a run (loading included)"
    lines.append(f"before the first step: {once}; {beforehand['next_prompt_s']:.1f} s for every other prompt")
    return "\n".join(lines)
