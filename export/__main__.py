"""python -m export: flags become a request; no logic lives here, and no SDK is imported before it is needed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export import commands
from export.backends import ALL_TARGETS, BACKENDS, backends_of, target_names
from export.compute_units import COMPUTE_UNITS
from export.interrupts import INTERRUPTED, ending_soon
from export.proof.processors import HOST, PROCESSORS
from textedit_core.errors import TexteditError, UserError


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, runs one command and returns the exit status: 0 done, 1 failed, 2 used wrongly."""
    given = sys.argv[1:] if arguments is None else arguments
    name = given[0] if given and given[0] in COMMANDS else "export"
    options = _parser(name).parse_args(given[1:] if name != "export" else given)
    try:
        summary = COMMANDS[name].run(options)
    except TexteditError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", UserError.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted; no unfinished bundle was left behind", INTERRUPTED)
    if options.json:
        print(json.dumps(summary, indent=2, sort_keys=True))
    else:
        commands.show(summary)
    return 0


def _fail(message: str, status: int) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return status


class Command:
    """One command: its help, its flags and what runs it."""

    def __init__(self, text: str, add_flags: Callable[[argparse.ArgumentParser], None], run: Callable[[Any], dict[str, Any]]) -> None:
        self.text, self.add_flags, self.run = text, add_flags, run


def _parser(name: str) -> argparse.ArgumentParser:
    prog = "python -m export" if name == "export" else f"python -m export {name}"
    others = "\n".join(f"  {key:<14} {command.text}" for key, command in COMMANDS.items() if key != "export")
    epilog = f"other commands (python -m export COMMAND --help):\n{others}" if name == "export" else None
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog=prog, description=COMMANDS[name].text, epilog=epilog, formatter_class=shape)
    COMMANDS[name].add_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON summary to stdout")
    return parser


def _export_flags(parser: argparse.ArgumentParser) -> None:
    precisions = "; ".join(f"{backend.label}: {', '.join(backend.precisions)}" for backend in BACKENDS)
    parser.add_argument("--target", required=True, metavar="NAME", help=f"{', '.join(target_names())} or {ALL_TARGETS}")
    kinds = "; ".join(f"{name}: {', '.join(backends_of(name))}" for name in target_names())
    parser.add_argument("--backend", metavar="B", help=f"what runs the networks on the device; first is the default; {kinds}")
    parser.add_argument("--unproven", action="store_true", help="accept a backend that this machine cannot measure")
    parser.add_argument("--prompts", default="", metavar="A,B,C", help="prompt ids, separated by commas (default: all of the checkpoint)")
    _checkpoint_flag(parser)
    parser.add_argument("--precision", metavar="P", help=f"first is the default; {precisions}")
    units = ", ".join(COMPUTE_UNITS)
    parser.add_argument("--compute-units", metavar="U", help=f"for target ios, what an app should use (default: advised per part): {units}")
    without = "leave out the checkpoint's compositor: a bundle of schema version 1, whose edited faces apps paste"
    parser.add_argument("--without-compositor", action="store_true", help=without)
    parser.add_argument("--batch-sizes", metavar="1,N,M", help="for target ios, how many faces a network takes at once (default: 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for NAME-TARGET.textedit (default: bundles)")
    parser.add_argument("--embed", type=Path, metavar="PROJECT", help="also put the bundle into this app project, e.g. ios_demo")
    parser.add_argument("--parity-faces", type=int, metavar="N", help="held-out faces to measure on (default: 8)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    _sign_flag(parser)


def _bundle_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="NAME.textedit, a directory or a stored zip")


def _verify_flags(parser: argparse.ArgumentParser) -> None:
    _bundle_argument(parser)
    parser.add_argument("--public-key", type=Path, metavar="PEM", help="the key that must have signed the bundle")
    parser.add_argument("--unproven", action="store_true", help="accept networks that this machine cannot run, and check the rest")


def _prove_flags(parser: argparse.ArgumentParser) -> None:
    _bundle_argument(parser)
    parser.add_argument("--cpu", default=HOST, metavar="NAME", help=f"{', '.join(PROCESSORS)} (default: {HOST}); all others are emulated")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--wheel", type=Path, metavar="FILE", help="ExecuTorch's wheel for Linux on Arm64, for an emulated processor")
    source.add_argument("--download", action="store_true", help="fetch that wheel from the package index, once")


def _add_prompt_flags(parser: argparse.ArgumentParser) -> None:
    _remove_prompt_flags(parser)
    _checkpoint_flag(parser)


def _remove_prompt_flags(parser: argparse.ArgumentParser) -> None:
    _bundle_argument(parser)
    parser.add_argument("--prompt", required=True, metavar="ID")
    _sign_flag(parser)


def _preview_flags(parser: argparse.ArgumentParser) -> None:
    _bundle_argument(parser)
    parser.add_argument("photo", type=Path, help="any image that Pillow reads")
    parser.add_argument("--prompt", required=True, metavar="ID")
    parser.add_argument("--strength", type=float, metavar="X", help="default: the prompt's own")
    parser.add_argument(
        "--landmarks", metavar="X,Y", help="left eye, right eye, nose, left and right mouth corner, in pixels, as 'x,y x,y ...'"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="IMAGE")


def _pack_flags(parser: argparse.ArgumentParser) -> None:
    _bundle_argument(parser)
    parser.add_argument("--since", type=Path, metavar="OLD", help="leave out what this older bundle has: the zip is an update of it")
    parser.add_argument("--out", type=Path, required=True, metavar="ZIP")


def _update_flags(parser: argparse.ArgumentParser) -> None:
    _verify_flags(parser)
    parser.add_argument("update", type=Path, help="what pack --since made, or a whole newer bundle")


def _checkpoint_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="checkpoint folder (default: the embedded reference model)")


def _sign_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sign", type=Path, metavar="PEM", help="sign with this P-256 private key")


COMMANDS: dict[str, Command] = {
    "export": Command("Lower a checkpoint to what a phone runs, measure it, and bundle it.", _export_flags, commands.run_export),
    "verify": Command("check hashes and signature, then run every network on its golden vectors", _verify_flags, commands.run_verify),
    "prove": Command("run the .pte files on their golden vectors from C++, here or on an emulated phone", _prove_flags, commands.run_prove),
    "inspect": Command("check hashes and show what a bundle holds", _bundle_argument, commands.run_inspect),
    "add-prompt": Command("add one prompt; all other networks keep their bytes", _add_prompt_flags, commands.run_add_prompt),
    "remove-prompt": Command("take one prompt out, and what served it alone", _remove_prompt_flags, commands.run_remove_prompt),
    "preview": Command("old name of python -m textedit_core edit PHOTO --bundle BUNDLE", _preview_flags, commands.run_preview),
    "pack": Command("pack a bundle directory as one stored zip", _pack_flags, commands.run_pack),
    "update": Command("put an update in the place of a bundle, as the apps do", _update_flags, commands.run_update),
}


if __name__ == "__main__":
    # A stop request unwinds like Ctrl-C, so that half-built bundles are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ending_soon():
        status = main()
    if status == INTERRUPTED:
        # All is tidied up; what libraries do on the way out takes seconds.
        os._exit(status)
    sys.exit(status)
