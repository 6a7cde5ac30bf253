"""python -m textedit_core {render,train,evaluate,release,edit}: flags become a typed call; no logic lives here."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from textedit_core.errors import TexteditError


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, runs the command and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except TexteditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; the same command resumes", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m textedit_core", description="Train and try text-driven face editors.")
    commands = parser.add_subparsers(required=True, metavar="{render,train,evaluate,release,edit}")
    _add_render(commands.add_parser("render", help="render training faces from the CC0 head assets"))
    _add_train(commands.add_parser("train", help="train one stage of a model"))
    _add_evaluate(commands.add_parser("evaluate", help="measure a checkpoint on held-out rendered faces"))
    _add_release(commands.add_parser("release", help="make a finished run's checkpoint shippable"))
    _add_edit(commands.add_parser("edit", help="edit one photo with a trained prompt"))
    return parser


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--assets", type=Path, required=True, help="the asset tree (see docs/faces.md)")
    parser.add_argument("--count", type=int, required=True, help="images to render, paired sketches included")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder; an interrupted render is resumed")
    parser.add_argument("--resolution", type=int, default=256, help="side in pixels (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views-per-identity", type=int, default=6, help="photos of each person (default: %(default)s)")
    parser.set_defaults(run=_run_render)


def _run_render(options: argparse.Namespace) -> int:
    from textedit_core.synthetic.dataset import render_dataset

    render_dataset(
        options.assets,
        options.out,
        options.count,
        resolution=options.resolution,
        workers=options.workers,
        seed=options.seed,
        views_per_identity=options.views_per_identity,
    )
    return 0


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stage", help="clip, identity, decoder, encoder, editor or joint, in this order")
    parser.add_argument("--preset", default="mobile_256", help="model preset (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="a folder written by render")
    parser.add_argument("--out", type=Path, required=True, help="run folder; its checkpoint/ grows with every stage")
    loop = parser.add_argument_group("pace (default: the stage's own)")
    for name, kind in (("images", int), ("batch_size", int), ("learning_rate", float), ("patience_images", int), ("loss_threshold", float)):
        loop.add_argument(f"--{name.replace('_', '-')}", type=kind, dest=name)
    loop.add_argument("--device", help="cpu or cuda")
    loop.add_argument("--seed", type=int)
    editor = parser.add_argument_group("editor stage")
    editor.add_argument("--prompt", help="the edit's id; smile, child and sketch bring their own texts")
    editor.add_argument("--text", help='target text, e.g. "an old man"')
    editor.add_argument("--neutral-text", help='what the text is compared with, e.g. "a man"')
    editor.add_argument("--text-match", help="cosine, euclidean, one_minus_match, cross_entropy or directional")
    editor.add_argument("--anchor", choices=("text", "source"), help="match the text itself, or the face moved from neutral to target text")
    editor.add_argument("--latent-norm", help="l2 or l1")
    editor.add_argument("--latent-weight", type=float, help="weight of the change of w (l1 in the loss)")
    editor.add_argument("--identity-form", help="cosine, euclidean or one_minus_match")
    editor.add_argument("--identity-target", choices=("photo", "reconstruction"))
    editor.add_argument("--identity-weight", type=float, help="weight of the identity distance (l2 in the loss)")
    editor.add_argument("--directional", type=float, help="weight of the directional text term")
    decoder = parser.add_argument_group("decoder stage")
    decoder.add_argument("--adversarial", type=float, help="weight of the discriminator's term")
    parser.add_argument("--parts", help="joint stage: what moves, e.g. encoder,editors")
    parser.set_defaults(run=_run_train)


def _run_train(options: argparse.Namespace) -> int:
    from textedit_core import config
    from textedit_core.errors import unknown_name
    from textedit_core.training.run import STAGES, TrainRequest, train

    if options.stage not in STAGES:
        raise unknown_name("stage", options.stage, list(STAGES), "the stages are")
    request = TrainRequest(
        stage=options.stage,
        preset=options.preset,
        data=options.data,
        out=options.out,
        loop=_replaced(STAGES[options.stage], options),
        prompt=_prompt(options, config.REFERENCE_PROMPTS),
        decoder=_replaced(config.DecoderTraining(), options),
        editor=_replaced(config.EDITOR_RECIPES.get(options.prompt, config.EditorTraining()), options),
    )
    if options.parts:
        request = dataclasses.replace(request, parts=tuple(options.parts.split(",")))
    print(train(request).checkpoint_id)
    return 0


def _replaced(recipe, options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """Lays the flags that were given over a recipe's defaults, by field name."""
    given = {f.name: getattr(options, f.name, None) for f in dataclasses.fields(recipe)}
    return dataclasses.replace(recipe, **{name: value for name, value in given.items() if value is not None})


def _prompt(options: argparse.Namespace, known: dict):  # type: ignore[no-untyped-def, type-arg]
    from textedit_core.config import Prompt
    from textedit_core.errors import UsageError

    if options.stage != "editor":
        return None
    if not options.prompt:
        raise UsageError("the editor stage needs --prompt ID (and --text unless the id is one of " + ", ".join(sorted(known)) + ")")
    base = known.get(options.prompt) or Prompt(options.prompt, options.text or "", names={"en": options.prompt.capitalize()})
    prompt = dataclasses.replace(base, text=options.text or base.text, neutral_text=options.neutral_text or base.neutral_text)
    if not prompt.text:
        raise UsageError(f"prompt {options.prompt!r} has no text; give it with --text")
    return prompt


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    parser.add_argument("--data", type=Path, required=True, help="a folder written by render")
    parser.add_argument("--faces", type=int, default=64, help="held-out photos to use (default: %(default)s)")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet: photo, reconstruction, each prompt")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run_evaluate)


def _run_evaluate(options: argparse.Namespace) -> int:
    from textedit_core.evaluation import evaluate, format_report

    report = evaluate(options.checkpoint, options.data, options.faces, options.sheet)
    print(json.dumps(report, indent=1) if options.json else format_report(report))
    return 0


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, required=True, help="a run's checkpoint folder")
    parser.add_argument("--data", type=Path, required=True, help="the rendered folder that it was trained on")
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(run=_run_release)


def _run_release(options: argparse.Namespace) -> int:
    from textedit_core.release import release

    print(release(options.checkpoint, options.data, options.out).checkpoint_id)
    return 0


def _add_edit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path)
    parser.add_argument("--prompt", required=True, help="which edit, e.g. smile")
    parser.add_argument("--strength", type=float, help="0 shows the unedited reconstruction (default: the prompt's own)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    landmarks = "five x,y pairs in pixels: left eye, right eye, nose, left mouth, right mouth; e.g. '90,110 165,110 ...'"
    parser.add_argument("--landmarks", help=landmarks)
    parser.set_defaults(run=_run_edit)


def _run_edit(options: argparse.Namespace) -> int:
    from textedit_core.alignment import parse_landmarks
    from textedit_core.face_editor import edit_photo

    landmarks = parse_landmarks(options.landmarks) if options.landmarks is not None else None
    edit_photo(options.photo, options.prompt, options.strength, options.out, checkpoint=options.checkpoint, landmarks=landmarks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
