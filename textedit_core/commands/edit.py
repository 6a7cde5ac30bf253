"""edit: one photo or many, one prompt or several."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from textedit_core.photo_batch import Outcome


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `edit`."""
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO", help="a photo, several, or a folder of them")
    prompts = parser.add_mutually_exclusive_group(required=True)
    prompts.add_argument("--prompt", help="which edit, e.g. smile")
    several = "several edits, each into a file of its own"
    prompts.add_argument("--prompts", type=lambda text: text.split(","), metavar="A,B,...", help=several)
    parser.add_argument("--strength", type=float, help="0 is the photo itself (default: the prompt's own)")
    parser.add_argument("--out", type=Path, help="the file for one photo and one prompt, otherwise a folder; finished results are skipped")
    parser.add_argument("--sheet", type=Path, help="also write one picture with a row per photo and a column per prompt")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: the embedded reference)")
    model.add_argument("--bundle", type=Path, help="an exported bundle: edit with the very files that a phone would run")
    landmarks = "five x,y pairs in pixels: left eye, right eye, nose, left mouth, right mouth; e.g. '90,110 165,110 ...'; for one photo"
    parser.add_argument("--landmarks", help=landmarks)
    parser.add_argument("--strip-metadata", action="store_true", help="drop EXIF, XMP, IPTC and comments; the colour profile stays")
    mark = "leave out the mark (IPTC digital source type) that a trained model changed part of the picture"
    parser.add_argument("--no-mark", dest="mark", action="store_false", help=mark)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.alignment import parse_landmarks
    from textedit_core.errors import UsageError

    if options.out is None and options.sheet is None:
        raise UsageError("nothing to write; give --out, --sheet or both")
    landmarks = parse_landmarks(options.landmarks) if options.landmarks is not None else None
    return _one(options, landmarks) if _is_one(options) else _many(options, landmarks)


def _is_one(options: argparse.Namespace) -> bool:
    """Whether --out is the file itself: one photo and one prompt, and no folder there."""
    out, (first, *more) = options.out, options.photos
    return options.prompt is not None and options.sheet is None and not (more or first.is_dir() or out.is_dir())


def _one(options: argparse.Namespace, landmarks: NDArray[Any] | None) -> int:
    from textedit_core.edit_photos import edit_photo

    edits = {options.prompt: options.strength}
    used = edit_photo(
        options.photos[0],
        edits,
        options.out,
        options.checkpoint,
        options.bundle,
        landmarks,
        strip_metadata=options.strip_metadata,
        mark=options.mark,
        say=_note,
    )
    if options.json:
        print(json.dumps({"wrote": str(options.out), "prompt": options.prompt, "strength": used[options.prompt]}, indent=1))
    else:
        print(f"wrote {options.out}: {options.prompt}, strength {used[options.prompt]:g}")
    return 0


def _many(options: argparse.Namespace, landmarks: NDArray[Any] | None) -> int:
    from textedit_core.edit_photos import opened_networks
    from textedit_core.photo_batch import Batch, edit_batch, listed

    batch = Batch(
        photos=listed(options.photos),
        prompts=list(dict.fromkeys(options.prompts or [options.prompt])),
        out=options.out,
        strength=options.strength,
        sheet=options.sheet,
        landmarks=landmarks,
        strip_metadata=options.strip_metadata,
        mark=options.mark,
    )
    with opened_networks(options.checkpoint, options.bundle) as networks:
        outcome = edit_batch(networks, batch, _note)
    _report(outcome, options)
    return 1 if outcome.failed else 0


def _report(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.json:
        document = {
            "wrote": [str(path) for path in outcome.written],
            "skipped": [str(path) for path in outcome.skipped],
            "failed": [{"photo": str(photo), "error": error} for photo, error in outcome.failed.items()],
            "sheet": None if options.sheet is None else str(options.sheet),
        }
        print(json.dumps(document, indent=1))
        return
    skipped = f", {len(outcome.skipped)} skipped (finished before and unchanged)" if outcome.skipped else ""
    print(f"wrote {len(outcome.written)}{skipped}, {len(outcome.failed)} failed")


def _note(line: str) -> None:
    print(line if line.startswith("failed: ") else f"note: {line}", file=sys.stderr)
