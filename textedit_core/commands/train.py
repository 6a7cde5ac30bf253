"""train: one stage of a model, or one editor for each of many prompts."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.config import Prompt
    from textedit_core.training.run import TrainRequest

SWEEP = "editors"
_PACE = (
    ("--images", int, "images to show"),
    ("--batch-size", int, "images per step, of all processes together"),
    ("--learning-rate", float, "at its highest, after the warm-up"),
    ("--matrix-rate", float, "of Muon, for matrices and kernels; 0 leaves them to Adam"),
    ("--patience-images", int, "stop when the loss has hardly improved over so many images"),
    ("--loss-threshold", float, "stop when the smoothed loss is below"),
    ("--seed", int, "of every random draw"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `train`."""
    stages = "clip, identity, decoder, encoder, editor, joint in this order; autoencoder or text-editor; editors for a list of prompts"
    parser.add_argument("stage", help=stages)
    parser.add_argument("--preset", default="mobile_256", help="model preset (default: %(default)s)")
    data = "a folder written by render; of photographs where pictures suffice (default for editors: the latents that were imported)"
    parser.add_argument("--data", type=Path, help=data)
    parser.add_argument("--out", type=Path, required=True, help="run folder; its checkpoint/ grows with every stage")
    pace = parser.add_argument_group("pace (default: the stage's own)")
    for flag, kind, meaning in _PACE:
        pace.add_argument(flag, type=kind, help=meaning)
    pace.add_argument("--device", help="cpu, cuda or auto")
    _add_editor(parser.add_argument_group("editor stages"))
    _add_sweep(parser.add_argument_group("editors, many prompts"))
    decoder = parser.add_argument_group("decoder and autoencoder stages")
    decoder.add_argument("--adversarial", type=float, help="weight of the discriminator's term")
    decoder.add_argument("--r1-gamma", type=float, help="weight of the discriminator's gradient penalty")
    decoder.add_argument("--augment-target", type=float, help="adaptive augmentation of what the discriminator sees; 0.6 for small data")
    encoder = parser.add_argument_group("encoder and autoencoder stages")
    encoder.add_argument("--w-norm", type=float, help="weight that keeps latents near their mean")
    encoder.add_argument("--delta", type=float, help="weight that keeps the levels of a latent near each other")
    parser.add_argument("--parts", help="joint stage: what moves, e.g. encoder,editors")
    parser.set_defaults(run=_run)


def _add_editor(group: Any) -> None:
    group.add_argument("--name", "--prompt", dest="prompt", help="the edit's id; those of the reference bring their own texts")
    group.add_argument("--text", help='target text, e.g. "an old man with glasses"')
    group.add_argument("--neutral-text", help='what the text is compared with, e.g. "a man" (default: found from the text)')
    group.add_argument("--wording", action="append", dest="wordings", help="the target text in other words, averaged with it; repeatable")
    served = "no training: the text-conditioned editor of the checkpoint serves the text, only its strength is found"
    group.add_argument("--conditioned", action="store_true", help=served)
    group.add_argument("--replace", action="store_true", help="train a prompt anew that the checkpoint has")
    group.add_argument("--text-match", help="cosine, euclidean, one_minus_match, cross_entropy, directional or contrastive")
    group.add_argument("--anchor", choices=("text", "source"), help="match the text itself, or the face moved from neutral to target text")
    group.add_argument("--directional", type=float, help="weight of the directional text term")
    group.add_argument("--contrastive", type=float, help="weight of the contrastive text term")
    group.add_argument("--latent-norm", help="l2, l1 or mahalanobis")
    group.add_argument("--latent-weight", type=float, help="weight of the change of w (l1 in the loss)")
    group.add_argument("--identity-form", help="cosine, euclidean or one_minus_match")
    group.add_argument("--identity-target", choices=("photo", "reconstruction"))
    group.add_argument("--identity-weight", type=float, help="weight of the identity distance (l2 in the loss)")
    group.add_argument("--picture-weight", type=float, help="weight of the change of the picture")
    group.add_argument("--groups", help="level groups that may move, e.g. coarse,medium")
    group.add_argument("--faces", type=int, help="training photos to encode and keep")
    group.add_argument("--views", type=int, help="jittered views of each face that the judges look at")
    group.add_argument("--completion", type=float, help="share of an edit's most that strength 1 reaches; 0 leaves strength as trained")


def _add_sweep(group: Any) -> None:
    group.add_argument("--prompts", type=Path, help="YAML list of prompts (see docs/scaling.md)")
    group.add_argument("--threads", type=int, default=1, help="processor threads per prompt (default: %(default)s)")
    group.add_argument("--retries", type=int, default=2, help="new tries for a prompt whose worker died (default: %(default)s)")
    group.add_argument("--engine", default="local", help="local or ray (default: %(default)s)")
    group.add_argument("--workers", type=int, default=1, help="prompts at a time on the local engine (default: %(default)s)")
    group.add_argument("--address", help="of the Ray head; without it a cluster is started on this machine")
    group.add_argument("--gpus", type=float, default=0.0, help="GPUs that Ray reserves per prompt, fractions allowed")


def _run(options: argparse.Namespace) -> int:
    from textedit_core.errors import unknown_name
    from textedit_core.training.run import STAGES, train

    if options.stage == SWEEP:
        return _run_sweep(options)
    if options.stage not in STAGES:
        raise unknown_name("stage", options.stage, [*STAGES, SWEEP], "the stages are")
    request = _request(options, options.stage)
    print((_conditioned if options.conditioned else train)(request).checkpoint_id)
    return 0


def _conditioned(request: TrainRequest) -> Checkpoint:
    from textedit_core.checkpoints.store import open_checkpoint
    from textedit_core.errors import UsageError
    from textedit_core.training.conditioned_prompt import add_conditioned_prompt
    from textedit_core.training.run import open_images

    if request.prompt is None:
        raise UsageError("--conditioned goes with the stage editor: train editor --conditioned --name ID --text TEXT")
    directory = request.out / "checkpoint"
    photos = open_images(request, open_checkpoint(directory).config, "train")
    return add_conditioned_prompt(directory, request.prompt, photos, request.editor, request.replace)


def _run_sweep(options: argparse.Namespace) -> int:
    from textedit_core.errors import UsageError
    from textedit_core.training.prompt_list import read_prompts
    from textedit_core.training.sweep import SweepRequest, sweep

    if options.prompts is None:
        raise UsageError(f"{SWEEP} needs --prompts FILE, a YAML list of prompts; for a single one use: train editor --name ID --text TEXT")
    base = _request(options, "editor")
    result = sweep(
        SweepRequest(
            base=base,
            prompts=read_prompts(options.prompts),
            engine=options.engine,
            workers=options.workers,
            retries=options.retries,
            threads=options.threads,
            gpus=options.gpus,
            address=options.address,
        )
    )
    print(f"trained: {', '.join(result.trained) or 'none'}; there already: {', '.join(result.skipped) or 'none'}")
    return 0


def _request(options: argparse.Namespace, stage: str) -> TrainRequest:
    from textedit_core import config
    from textedit_core.reference_prompts import EDITOR_RECIPES, REFERENCE_PROMPTS
    from textedit_core.training.run import STAGES, TrainRequest

    request = TrainRequest(
        stage=stage,
        preset=options.preset,
        data=options.data,
        out=options.out,
        loop=_replaced(STAGES[stage], options),
        prompt=_prompt(options, REFERENCE_PROMPTS) if options.stage == "editor" else None,
        replace=options.replace,
        decoder=_replaced(config.DecoderTraining(), options),
        encoder=_replaced(config.EncoderTraining(), options),
        editor=_replaced(EDITOR_RECIPES.get(options.prompt, config.EditorTraining()), options),
        editors={name: _replaced(recipe, options) for name, recipe in EDITOR_RECIPES.items()},
    )
    return dataclasses.replace(request, parts=tuple(options.parts.split(","))) if options.parts else request


def _replaced(recipe: Any, options: argparse.Namespace) -> Any:
    """Lays the flags that were given over a recipe's defaults, by field name."""
    given = {f.name: getattr(options, f.name, None) for f in dataclasses.fields(recipe)}
    values = {name: value for name, value in given.items() if value is not None}
    if "groups" in values:
        values["groups"] = tuple(values["groups"].split(","))
    return dataclasses.replace(recipe, **values)


def _prompt(options: argparse.Namespace, known: dict[str, Prompt]) -> Prompt:
    from textedit_core.config import Prompt
    from textedit_core.errors import UsageError

    if not options.prompt:
        raise UsageError("the editor stage needs --name ID (and --text unless the id is one of " + ", ".join(sorted(known)) + ")")
    own = Prompt(options.prompt, options.text or "", names={"en": options.prompt.capitalize()})
    # Another text than the known prompt's makes it another prompt, with nothing of the known one but its id.
    base = known[options.prompt] if options.prompt in known and options.text in (None, known[options.prompt].text) else own
    if not base.text:
        raise UsageError(f"prompt {options.prompt!r} has no text; give it with --text")
    wordings = tuple(options.wordings) if options.wordings else base.wordings
    return dataclasses.replace(base, neutral_text=options.neutral_text or base.neutral_text, wordings=wordings)
