"""train: one stage of a model, one editor for each of many prompts, or a whole model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.training.run import TrainRequest
    from textedit_core.training.settings import Changed, KeyBook

_USAGE = "python -m textedit_core train STAGE --data FOLDER --out RUN [--config FILE] [key=value ...]"
_STAGES = (
    "clip, identity, decoder, encoder, editor, joint in this order; autoencoder or text-editor; editors for a list of prompts; "
    "all for a whole model"
)
_KEYS = "key=value sets anything that the stage has, e.g. images=3000 or decoder.pixel=0.5; --print-config lists it"


@dataclasses.dataclass(frozen=True)
class _Flag:
    """A flag, the key that it sets, and what argparse is told of it."""

    names: tuple[str, ...]
    key: str
    help: str
    options: tuple[tuple[str, Any], ...] = ()


def _flag(names: str, meaning: str, **options: Any) -> _Flag:
    first, *others = names.split()
    key = options.pop("key", first.removeprefix("--").replace("-", "_"))
    return _Flag((first, *others), key, meaning, tuple(options.items()))


_ON = {"action": "store_const", "const": True}
_GROUPS: dict[str, tuple[_Flag, ...]] = {
    "the run": (
        _flag("--preset", "model preset (default: mobile_256)"),
        _flag("--data", "a folder written by render; of photographs where pictures suffice (editors: default the imported latents)"),
        _flag("--out", "run folder; its checkpoint/ grows with every stage"),
    ),
    "pace (default: the stage's own)": (
        _flag("--images", "images to show"),
        _flag("--batch-size", "images per step, of all processes together"),
        _flag("--learning-rate", "at its highest, after the warm-up"),
        _flag("--matrix-rate", "of Muon, for matrices and kernels; 0 leaves them to Adam"),
        _flag("--patience-images", "stop when the loss has hardly improved over so many images"),
        _flag("--loss-threshold", "stop when the smoothed loss is below"),
        _flag("--seed", "of every random draw"),
        _flag("--device", "cpu, cuda or auto"),
    ),
    "editor": (
        _flag("--name --prompt", "the edit's id; those of the reference bring their own texts"),
        _flag("--text", 'target text, e.g. "an old man with glasses"'),
        _flag("--neutral-text", 'what the text is compared with, e.g. "a man" (default: found from the text)'),
        _flag("--wording", "the target text in other words, averaged with it; repeatable", key="wordings", action="append"),
        _flag("--conditioned", "no training: the text-conditioned editor of the checkpoint serves the text", **_ON),
        _flag("--replace", "train a prompt anew that the checkpoint has (also editors)", **_ON),
    ),
    "editors, many prompts": (
        _flag("--prompts", "YAML list of prompts (see docs/scaling.md)"),
        _flag("--threads", "processor threads per prompt (default: 1)"),
        _flag("--retries", "new tries for a prompt whose worker died (default: 2)"),
        _flag("--engine", "local or ray (default: local)"),
        _flag("--workers", "prompts at a time on the local engine (default: 1)"),
        _flag("--address", "of the Ray head; without it a cluster is started on this machine"),
        _flag("--gpus", "GPUs that Ray reserves per prompt, fractions allowed"),
    ),
    "all, a whole model": (
        _flag("--recipe", "which stages, in which order (default: reference)"),
        _flag("--hours", "shorten all stages alike so that they end in time, by a rehearsal's measure"),
    ),
    "decoder and autoencoder": (
        _flag("--adversarial", "weight of the discriminator's term"),
        _flag("--r1-gamma", "weight of the discriminator's gradient penalty"),
        _flag("--augment-target", "adaptive augmentation of what the discriminator sees; 0.6 for small data"),
    ),
    "encoder and autoencoder": (
        _flag("--w-norm", "weight that keeps latents near their mean"),
        _flag("--delta", "weight that keeps the levels of a latent near each other"),
    ),
    "joint": (_flag("--parts", "what moves, e.g. encoder,editors"),),
    "the loss of an edit (editor, text-editor, joint): loss1 + latent_weight * loss2 + identity_weight * loss3 + picture_weight * loss_pic "
    "+ directional * loss_dir + contrastive * loss_con": (
        _flag("--latent-weight", "weight of loss2, the change of w"),
        _flag("--identity-weight", "weight of loss3, the identity distance"),
        _flag("--picture-weight", "weight of loss_pic, the change of the picture"),
        _flag("--directional", "weight of loss_dir, the change along the text direction"),
        _flag("--contrastive", "weight of loss_con, nearer to its own text than to others"),
        _flag("--groups", "level groups that may move, e.g. coarse,medium"),
        _flag("--faces", "training photos to encode and keep"),
        _flag("--views", "jittered views of each face that CLIP and the identity network look at"),
        _flag("--completion", "share of an edit's most that strength 1 reaches; 0 leaves strength as trained"),
        _flag("--anchor", "text or source: match the text itself, or the face moved from neutral to target text"),
        _flag("--text-match", "loss1: cosine, euclidean, one_minus_match, cross_entropy, directional or contrastive"),
        _flag("--latent-norm", "loss2: l2, l1 or mahalanobis"),
        _flag("--identity-form", "loss3: cosine, euclidean or one_minus_match"),
        _flag("--identity-target", "loss3 compares with the photo or its reconstruction"),
    ),
}
_FLAGS = tuple(flag for flags in _GROUPS.values() for flag in flags)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `train`."""
    parser.usage, parser.epilog = _USAGE, _KEYS
    parser.add_argument("stage", metavar="STAGE", help=_STAGES)
    parser.add_argument("--config", type=Path, help="YAML file of settings; flags and key=value are laid over it")
    parser.add_argument("--print-config", action="store_true", help="print the stage's settings as such a file, and stop")
    for title, flags in _GROUPS.items():
        group = parser.add_argument_group(title)
        for flag in flags:
            group.add_argument(*flag.names, dest=flag.key, help=flag.help, **dict(flag.options))
    parser.set_defaults(run=_run, settings=[])


def _run(options: argparse.Namespace) -> int:
    from textedit_core.training import train_settings
    from textedit_core.training.run import train
    from textedit_core.training.whole_model import train_whole_model

    train_settings.require_stage(options.stage)
    book = train_settings.key_book()
    changes = _changes(options, book)
    if options.print_config:
        print(book.template(options.stage, changes), end="")
        return 0
    if options.stage == train_settings.SWEEP:
        return _run_sweep(changes)
    if options.stage == train_settings.WHOLE_MODEL:
        checkpoint = train_whole_model(train_settings.whole_model_request(changes))
    elif changes.get("prompt", {}).get("conditioned"):
        checkpoint = _conditioned(train_settings.stage_request(options.stage, changes))
    else:
        checkpoint = train(train_settings.stage_request(options.stage, changes))
    print(checkpoint.checkpoint_id)
    return 0


def _changes(options: argparse.Namespace, book: KeyBook) -> Changed:
    """What the config file, then the flags, then the key=value words say."""
    from textedit_core.errors import UsageError
    from textedit_core.training.settings import read_config

    changes: Changed = {}
    for key, value in read_config(options.config) if options.config is not None else ():
        book.change(changes, options.stage, key, value)
    for flag in _FLAGS:
        value = getattr(options, flag.key)
        if value is not None:
            book.change(changes, options.stage, flag.key, value, flag.names[0])
    for word in options.settings:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is no setting; settings are written key=value, e.g. images=3000")
        book.change(changes, options.stage, key, value)
    return changes


def _conditioned(request: TrainRequest) -> Checkpoint:
    from textedit_core.checkpoints.store import open_checkpoint
    from textedit_core.training.conditioned_prompt import add_conditioned_prompt
    from textedit_core.training.run import open_images

    assert request.prompt is not None
    directory = request.out / "checkpoint"
    photos = open_images(request, open_checkpoint(directory).config, "train")
    return add_conditioned_prompt(directory, request.prompt, photos, request.recipes["editor"], request.replace)


def _run_sweep(changes: Changed) -> int:
    from textedit_core.training.sweep import sweep
    from textedit_core.training.train_settings import sweep_request

    result = sweep(sweep_request(changes))
    print(f"trained: {', '.join(result.trained) or 'none'}; there already: {', '.join(result.skipped) or 'none'}")
    return 0
