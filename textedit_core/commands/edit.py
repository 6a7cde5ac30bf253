"""edit: one photo, one prompt."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `edit`."""
    parser.add_argument("photo", type=Path)
    parser.add_argument("--prompt", required=True, help="which edit, e.g. smile")
    parser.add_argument("--strength", type=float, help="0 shows the unedited reconstruction (default: the prompt's own)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    landmarks = "five x,y pairs in pixels: left eye, right eye, nose, left mouth, right mouth; e.g. '90,110 165,110 ...'"
    parser.add_argument("--landmarks", help=landmarks)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.alignment import parse_landmarks
    from textedit_core.face_editor import edit_photo

    landmarks = parse_landmarks(options.landmarks) if options.landmarks is not None else None
    edit_photo(options.photo, options.prompt, options.strength, options.out, checkpoint=options.checkpoint, landmarks=landmarks)
    return 0
