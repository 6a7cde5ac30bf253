"""train: one stage of a model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `train`."""
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
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
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
