"""python -m benchmarks COMMAND: flags become a typed request; no logic lives here."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.request import (
    AppsRequest,
    DecoderRequest,
    DeviceRequest,
    EditRequest,
    ExportSpeedRequest,
    ForeignFilesRequest,
    LatencyRequest,
    OperationsRequest,
    PeersRequest,
    RenderRequest,
    ReportRequest,
    TemplatesRequest,
    TrainSpeedRequest,
    UpsamplingRequest,
)
from textedit_core.errors import TexteditError


@dataclasses.dataclass(frozen=True)
class Command:
    """One benchmark: the module whose `measure` takes the request, its help, and what each flag means; the defaults are the request's."""

    module: str
    request: type
    text: str
    flags: dict[str, str]


_RUNTIME_COUNTS = {"threads": "threads of the runtime", "rounds": "timed rounds", "warmup": "untimed rounds before those"}
_BUNDLE = {"bundle": "NAME.textedit of target android or onnx"}
_CHECKPOINT = {"checkpoint": "checkpoint folder (default: the embedded reference)"}

COMMANDS = {
    "edit": Command(
        "edit",
        EditRequest,
        "a full edit: time, shares and memory, beside the same with a StyleGAN2 in int8",
        {
            **_BUNDLE,
            "prompt": "one of its prompts (default: the first)",
            "peer": "preset of the path beside it",
            **_RUNTIME_COUNTS,
            "processes": "processes that memory is measured in",
        },
    ),
    "decoder": Command(
        "decoder",
        DecoderRequest,
        "the StyleGAN2 decoder by image side, threads and precision, against the roofline",
        {"sizes": "sides in pixels", "threads": "counts of threads", "rounds": "timed rounds", "warmup": "untimed rounds before those"},
    ),
    "peers": Command(
        "peers",
        PeersRequest,
        "one decoder in every runtime at hand, folded and naive, against the roofline",
        {
            "preset": "whose decoder, with random weights",
            **_RUNTIME_COUNTS,
            "naive_executorch": "leave out the slowest form, over a minute per image",
        },
    ),
    "upsampling": Command(
        "upsampling",
        UpsamplingRequest,
        "the forms of StyleGAN2's up-sampling convolution in every runtime at hand",
        {**_RUNTIME_COUNTS},
    ),
    "export": Command(
        "exporting",
        ExportSpeedRequest,
        "seconds, peak memory and bytes of an export, by number of prompts and image side",
        {
            **_CHECKPOINT,
            "target": "a target's name or all",
            "counts": "numbers of prompts",
            "sizes": "sides in pixels of StyleGAN2 with random weights (default: none)",
            "parity_faces": "held-out faces to measure on",
        },
    ),
    "templates": Command(
        "templates",
        TemplatesRequest,
        "processor seconds that filling editors in saves an export",
        {**_CHECKPOINT, "target": "a target's name or all", "rounds": "how often each way is timed"},
    ),
    "latency": Command(
        "latency", LatencyRequest, "each network of a bundle in its runtime, against PyTorch", {**_BUNDLE, **_CHECKPOINT, **_RUNTIME_COUNTS}
    ),
    "operations": Command(
        "operations",
        OperationsRequest,
        "every kernel of one network of an android bundle",
        {"bundle": "NAME.textedit of target android", "part": "encoder, decoder, text_editor or editors/ID", **_RUNTIME_COUNTS},
    ),
    "render": Command(
        "render",
        RenderRequest,
        "images per second of the face renderer, and where the time goes",
        {
            "assets": "the asset tree or a packed copy of it (see docs/faces.md)",
            "images": "timed images, of all processes",
            "workers": "processes (default: one per core)",
            "resolution": "side in pixels",
        },
    ),
    "apps": Command(
        "apps",
        AppsRequest,
        "the picture path of the phone apps: pasting, a drag of the slider, a save of 48 megapixels",
        {
            "android": "folder in which android_demo/check has worked",
            "android_before": "the same of an older checkout, to compare with (default: the plain form of the same)",
            "ios": "the built program EditorTimings",
            "rounds": "timed runs of each form in a process",
            "processes": "processes of each form, in turn",
        },
    ),
    "train": Command(
        "train",
        TrainSpeedRequest,
        "images per second of editor training, against a plain loop of the published recipe",
        {
            **_CHECKPOINT,
            "prompt": "one of its prompts",
            "batch": "images per step",
            "rounds": "timed steps of each loop, in turn",
            "warmup": "untimed steps of each before those",
            "threads": "threads of PyTorch",
        },
    ),
}


def _integers(text: str) -> tuple[int, ...]:
    """1,2,3 as numbers."""
    return tuple(int(each) for each in text.split(",") if each.strip())


# How a flag's text becomes its value, by the type that the request states.
_PARSERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "int | None": int,
    "str": str,
    "str | None": str,
    "Path": Path,
    "Path | None": Path,
    "tuple[int, ...]": _integers,
}


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, runs the command and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except TexteditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Measure exported bundles, decoders in every runtime, exports, the renderer and editor training on this machine."
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    commands = parser.add_subparsers(required=True, metavar=f"{{{','.join([*COMMANDS, 'device', 'foreign', 'report'])}}}")
    for name, command in COMMANDS.items():
        flags = commands.add_parser(name, help=command.text, description=command.text)
        for field in dataclasses.fields(command.request):
            _add_flag(flags, field, command.flags[field.name])
        flags.add_argument("--json", type=Path, metavar="FILE", help="also write the result to this file")
        flags.set_defaults(run=_measure, command=command)
    _add_device(commands.add_parser("device", help="have the demo app measure itself on a connected phone"))
    foreign = commands.add_parser("foreign", help="write foreign files of full size with random weights, for import and export to take")
    foreign.add_argument("--out", type=Path, required=True, help="folder that receives generator.pt, encoder.pt and mapper.pt")
    foreign.add_argument(
        "--resolution", type=int, default=ForeignFilesRequest.resolution, help="of the generator, in pixels (default: %(default)s)"
    )
    foreign.add_argument("--seed", type=int, default=ForeignFilesRequest.seed, help="of the weights (default: %(default)s)")
    foreign.set_defaults(run=_foreign)
    report = commands.add_parser("report", help="results side by side, as tables and plots")
    report.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="what --json wrote")
    report.add_argument("--out", type=Path, default=ReportRequest.out, help="folder for report.md and its plots (default: %(default)s)")
    report.set_defaults(run=_report)
    return parser


def _add_device(parser: argparse.ArgumentParser) -> None:
    from benchmarks.device import COLLECTORS

    kinds = parser.add_mutually_exclusive_group(required=True)
    for kind, collector in COLLECTORS.items():
        kinds.add_argument(f"--{kind}", type=Path, metavar="FILE", help=f"write the result here; needs {collector.origin}")
    parser.add_argument("--device", metavar="NAME", help="; ".join(f"{each.devices} lists them" for each in COLLECTORS.values()))
    parser.set_defaults(run=_collect)


def _add_flag(parser: argparse.ArgumentParser, field: dataclasses.Field[Any], meaning: str) -> None:
    if field.type == "bool":
        parser.add_argument(f"--no-{_dashed(field.name)}", dest=field.name, action="store_false", help=meaning)
        return
    required = field.default is dataclasses.MISSING
    default = None if required else field.default
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    text = meaning if required or shown in (None, "") else f"{meaning} (default: {shown})"
    parser.add_argument(f"--{_dashed(field.name)}", type=_PARSERS[str(field.type)], required=required, default=default, help=text)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _measure(options: argparse.Namespace) -> None:
    from benchmarks.results import write_document
    from benchmarks.tables import text_table

    command: Command = options.command
    request = command.request(**{field.name: getattr(options, field.name) for field in dataclasses.fields(command.request)})
    document = importlib.import_module(f"benchmarks.{command.module}").measure(request)
    print(text_table(document))
    if options.json is not None:
        write_document(document, options.json)


def _collect(options: argparse.Namespace) -> None:
    from benchmarks.device import COLLECTORS, collect
    from benchmarks.tables import text_table

    (kind,) = (each for each in COLLECTORS if getattr(options, each) is not None)
    print(text_table(collect(DeviceRequest(kind, getattr(options, kind), options.device))))


def _foreign(options: argparse.Namespace) -> None:
    from benchmarks.foreign_files import write_foreign_files

    for path in write_foreign_files(ForeignFilesRequest(options.out, options.resolution, options.seed)):
        print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def _report(options: argparse.Namespace) -> None:
    from benchmarks.report import write_report

    print(write_report(ReportRequest(tuple(options.results), options.out)))


if __name__ == "__main__":
    sys.exit(main())
