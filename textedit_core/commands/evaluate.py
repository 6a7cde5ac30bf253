"""evaluate: edit quality against ground truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `evaluate`."""
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="also judge this bundle, through its real runtime; may be repeated"
    )
    parser.add_argument("--counterfactuals", type=Path, help="a folder written by render --counterfactuals (default: the embedded set)")
    parser.add_argument("--judges", type=Path, help="a folder written by judges release (default: the embedded judges)")
    parser.add_argument("--groups", type=int, help="people to use (default: all of the set)")
    parser.add_argument("--prompts", help="which edits, e.g. smile,child (default: all of the checkpoint)")
    parser.add_argument("--html", type=Path, help="also write a self-contained page with the faces, curves and tables")
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet: photo, reconstruction, each prompt")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.evaluation import EvaluateRequest, evaluate, format_report

    request = EvaluateRequest(
        checkpoint=options.checkpoint,
        bundles=tuple(options.bundle),
        counterfactuals=options.counterfactuals,
        judges=options.judges,
        groups=options.groups,
        prompts=tuple(options.prompts.split(",")) if options.prompts else None,
        html=options.html,
        contact_sheet=options.sheet,
        seed=options.seed,
    )
    report = evaluate(request)
    print(json.dumps(report, indent=1) if options.json else format_report(report))
    return 0
