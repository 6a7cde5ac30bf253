"""judges: train, measure and release the independent judges of `evaluate`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the actions of `judges`."""
    actions = parser.add_subparsers(required=True, metavar="{train,measure,release}")
    train = actions.add_parser("train", help="train one judge on rendered faces and their labels")
    train.add_argument("which", choices=("attributes", "identity"))
    train.add_argument("--out", type=Path, required=True, help="run folder; an interrupted run is resumed")
    train.add_argument("--images", type=int, help="images to show (default: the judge's own pace)")
    train.set_defaults(run=_run_train)
    measure = actions.add_parser("measure", help="accuracy on people that training never saw")
    measure.add_argument("--judges", type=Path, help="a folder written by release (default: the embedded judges)")
    measure.set_defaults(run=_run_measure)
    release = actions.add_parser("release", help="measure both judges of a run and write them as one folder")
    release.add_argument("--run-folder", type=Path, required=True, help="what `judges train` wrote")
    release.add_argument("--out", type=Path, required=True)
    release.set_defaults(run=_run_release)
    for action in (train, measure, release):
        action.add_argument("--data", type=Path, required=True, help="a folder written by render")


def _run_train(options: argparse.Namespace) -> int:
    import dataclasses

    from textedit_core.judges.config import PACES
    from textedit_core.judges.training import train_judges

    pace = PACES[options.which]
    if options.images is not None:
        pace = dataclasses.replace(pace, images=options.images)
    train_judges(options.data, options.out, which=options.which, loop=pace)
    return 0


def _run_measure(options: argparse.Namespace) -> int:
    from textedit_core.judges.measurement import measure_judges
    from textedit_core.judges.store import open_judges
    from textedit_core.training.data import FaceDataset

    judges = open_judges(options.judges)
    print(json.dumps(measure_judges(judges, FaceDataset(options.data, "test", judges.image_size)), indent=1))
    return 0


def _run_release(options: argparse.Namespace) -> int:
    from textedit_core.judges.training import release_judges

    print(json.dumps(release_judges(options.run_folder, options.data, options.out).card, indent=1))
    return 0
