"""python -m textedit_core: every command has a module in textedit_core/commands."""

from __future__ import annotations

import argparse
import sys

from textedit_core.commands import edit, evaluate, import_weights, judges, release, render, train
from textedit_core.errors import TexteditError

COMMANDS = {
    "render": (render.add, "draw training faces or the counterfactual test set from the CC0 head assets"),
    "pack-assets": (render.add_pack, "pack the head assets that render reads into one small file"),
    "train": (train.add, "train one stage of a model"),
    "import": (import_weights.add, "turn weights of other projects into a checkpoint, without running them"),
    "judges": (judges.add, "train, measure and release the judges of evaluate"),
    "evaluate": (evaluate.add, "measure edits against ground truth with independent judges"),
    "release": (release.add, "make a finished run's checkpoint shippable"),
    "edit": (edit.add, "edit one photo with a trained prompt"),
}


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, runs the command and returns the exit status."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    # argparse takes no words after flags for what stands before them; a command that takes key=value has a list for them.
    unknown = [word for word in rest if word.startswith("-") or not hasattr(options, "settings")]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if rest:
        options.settings = rest
    try:
        return options.run(options)
    except TexteditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error: interrupted; the same command resumes", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m textedit_core", description="Train and try text-driven face editors.")
    commands = parser.add_subparsers(required=True, metavar="{" + ",".join(COMMANDS) + "}")
    for name, (add, meaning) in COMMANDS.items():
        add(commands.add_parser(name, help=meaning))
    return parser


if __name__ == "__main__":
    sys.exit(main())
