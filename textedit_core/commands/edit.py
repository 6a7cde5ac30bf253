"""edit: one photo, one prompt."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `edit`."""
    parser.add_argument("photo", type=Path)
    parser.add_argument("--prompt", required=True, help="which edit, e.g. smile")
    parser.add_argument("--strength", type=float, help="0 shows the unedited reconstruction (default: the prompt's own)")
    parser.add_argument("--out", type=Path, required=True)
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    model.add_argument("--bundle", type=Path, help="an exported bundle: edit with the very files that a phone would run")
    landmarks = "five x,y pairs in pixels: left eye, right eye, nose, left mouth, right mouth; e.g. '90,110 165,110 ...'"
    parser.add_argument("--landmarks", help=landmarks)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.alignment import parse_landmarks
    from textedit_core.face_editor import edit_photo

    landmarks = parse_landmarks(options.landmarks) if options.landmarks is not None else None
    edits = {options.prompt: options.strength}
    used = edit_photo(options.photo, edits, options.out, options.checkpoint, options.bundle, landmarks)
    if options.json:
        print(json.dumps({"wrote": str(options.out), "prompt": options.prompt, "strength": used[options.prompt]}, indent=1))
    else:
        print(f"wrote {options.out}: {options.prompt}, strength {used[options.prompt]:g}")
    return 0
