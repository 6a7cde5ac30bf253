"""evaluate: edit quality against ground truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from textedit_core.errors import UsageError

# Flags that say nothing about photographs.
_RENDERED_ONLY = ("html", "counterfactuals", "judges", "photo", "landmarks")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `evaluate`."""
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="also judge this bundle, through its real runtime; may be repeated"
    )
    parser.add_argument("--counterfactuals", type=Path, help="a folder written by render --counterfactuals (default: the embedded set)")
    parser.add_argument("--judges", type=Path, help="a folder written by judges release (default: the embedded judges)")
    recogniser = "an ONNX face recogniser, e.g. insightface's w600k_r50.onnx: a second opinion on identity"
    parser.add_argument("--recogniser", type=Path, metavar="F.onnx", help=recogniser)
    parser.add_argument("--groups", type=int, help="people to use (default: all of the set)")
    parser.add_argument("--prompts", help="which edits, e.g. smile,child (default: all of the checkpoint)")
    parser.add_argument("--bundle-groups", type=int, default=64, help="people to judge each bundle on (default: %(default)s)")
    parser.add_argument("--strength-groups", type=int, default=32, help="people to follow over strength (default: %(default)s)")
    parser.add_argument("--photo", type=Path, help="photograph of the check out of domain (default: scikit-image's astronaut)")
    landmarks = "its eyes, nose and corners of the mouth as five x,y pairs in pixels (default: the central square is taken)"
    parser.add_argument("--landmarks", help=landmarks)
    parser.add_argument("--html", type=Path, help="also write a self-contained page with the faces, curves and tables")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet: photo, reconstruction, each prompt")
    photos = "pairs of photographs, at rest and smiling, with landmarks: measure edits of these instead (see docs/photos.md)"
    parser.add_argument("--photos", type=Path, metavar="DIR", help=photos)
    everyone = "with --photos: also the people that the compositor was trained on"
    parser.add_argument("--everyone", action="store_true", help=everyone)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run_photographs(options: argparse.Namespace) -> int:
    from textedit_core.evaluation.photo_table import format_photographs
    from textedit_core.evaluation.photographs import PhotoRequest, evaluate_photographs

    given = [flag for flag in _RENDERED_ONLY if getattr(options, flag) is not None]
    if given:
        raise UsageError(f"--{given[0]} is of the evaluation on rendered faces; leave it out with --photos")
    request = PhotoRequest(
        options.photos,
        checkpoint=options.checkpoint,
        bundles=tuple(options.bundle),
        prompt=options.prompts or "smile",
        recogniser=options.recogniser,
        people=options.groups,
        everyone=options.everyone,
        sheet=options.sheet,
        seed=options.seed,
    )
    report = evaluate_photographs(request)
    print(json.dumps(report, indent=1) if options.json else format_photographs(report))
    return 0


def _run(options: argparse.Namespace) -> int:
    if options.photos is not None:
        return _run_photographs(options)
    if options.everyone:
        raise UsageError("--everyone is of the evaluation on photographs; give --photos DIR too")
    from textedit_core.alignment import parse_landmarks
    from textedit_core.evaluation import EvaluateRequest, evaluate, format_report

    request = EvaluateRequest(
        checkpoint=options.checkpoint,
        bundles=tuple(options.bundle),
        counterfactuals=options.counterfactuals,
        judges=options.judges,
        recogniser=options.recogniser,
        groups=options.groups,
        prompts=tuple(options.prompts.split(",")) if options.prompts else None,
        html=options.html,
        contact_sheet=options.sheet,
        photo=options.photo,
        landmarks=parse_landmarks(options.landmarks) if options.landmarks is not None else None,
        bundle_groups=options.bundle_groups,
        strength_groups=options.strength_groups,
        seed=options.seed,
    )
    report = evaluate(request)
    print(json.dumps(report, indent=1) if options.json else format_report(report))
    return 0
