"""import: weights of other projects become an ordinary checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

_PARTS = {
    "decoder": "a StyleGAN generator",
    "encoder": "an e4e, pSp or ReStyle encoder; FILE#N lets ReStyle correct itself N times",
    "identity": "an ArcFace recogniser",
    "latents": "latents w_plus, kept for training",
}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `import`."""
    parser.add_argument("--inspect", type=Path, metavar="FILE", help="say what a file is and what it holds; writes nothing")
    for name, meaning in _PARTS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"{meaning} (docs/bring-your-own-weights.md lists the formats)")
    clip = "weights of an open_clip model, e.g. ViT-B-32=weights.pt; NAME=TAG with --download"
    parser.add_argument("--clip", metavar="NAME=FILE", help=clip)
    fetch = "fetch the --clip weights that open_clip publishes as TAG, e.g. laion2b_s34b_b79k; nothing is ever downloaded without this"
    parser.add_argument("--download", action="store_true", help=fetch)
    editor = "a mapper or a direction, FILE#3 number 3 of several; may be repeated"
    parser.add_argument("--editor", action="append", default=[], metavar="ID=FILE", help=editor)
    parser.add_argument("--class", dest="class_index", type=int, metavar="N", help="which class of a conditional --decoder")
    parser.add_argument("--base", type=Path, help="a checkpoint whose other parts are taken over")
    parser.add_argument("--faces", type=Path, help="a folder of aligned faces that exports calibrate with")
    parser.add_argument("--name", default="imported", help="of the model (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="checkpoint folder to write; it must not exist")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint, inspect_file
    from textedit_core.errors import UsageError

    if options.inspect is not None:
        print(inspect_file(options.inspect))
        return 0
    if options.out is None:
        raise UsageError("import needs --out DIR, or --inspect FILE to look at one file")
    request = ImportRequest(
        out=options.out,
        clip=_pair("--clip", options.clip, "NAME=FILE, or NAME=TAG with --download") if options.clip is not None else None,
        download=options.download,
        editors=_editors(options.editor),
        base=options.base,
        faces=options.faces,
        name=options.name,
        class_index=options.class_index,
        **{name: getattr(options, name) for name in _PARTS},
    )
    print(import_checkpoint(request, print).checkpoint_id)
    return 0


def _editors(texts: list[str]) -> dict[str, Path]:
    """The file of each editor, by its id."""
    from textedit_core.errors import UsageError

    editors: dict[str, Path] = {}
    for text in texts:
        prompt_id, path = _pair("--editor", text, "ID=FILE")
        if prompt_id in editors:
            files = f"{str(editors[prompt_id])!r} and {str(path)!r}"
            raise UsageError(f"--editor names two files for {prompt_id!r}, {files}; give each editor an id of its own")
        editors[prompt_id] = path
    return editors


def _pair(flag: str, text: str, form: str) -> tuple[str, Path]:
    from textedit_core.errors import UsageError

    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise UsageError(f"{flag} {text!r} lacks a part; write it as {form}")
    return name, Path(path)
