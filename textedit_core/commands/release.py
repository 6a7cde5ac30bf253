"""release: make a finished run's checkpoint shippable."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `release`."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="a run's checkpoint folder")
    parser.add_argument("--data", type=Path, required=True, help="the rendered folder that it was trained on")
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.release import release

    print(release(options.checkpoint, options.data, options.out).checkpoint_id)
    return 0
