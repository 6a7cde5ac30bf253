"""python -m benchmarks {latency,operations,peers,render,train}: flags become a typed call; no logic lives here."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from benchmarks.request import LatencyRequest, OperationsRequest, PeersRequest, RenderRequest, TrainSpeedRequest
from textedit_core.errors import TexteditError


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, runs the command and returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except TexteditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    about = "Measure exported bundles, decoders in every runtime, the renderer and editor training on this machine."
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    commands = parser.add_subparsers(required=True, metavar="{latency,operations,peers,render,train}")
    latency = commands.add_parser("latency", help="time each network of a bundle in its runtime, against PyTorch")
    latency.add_argument("--bundle", type=Path, required=True, help="NAME.textedit of target android or onnx")
    latency.add_argument("--checkpoint", type=Path, help="what the bundle was exported from (default: the embedded reference)")
    defaults = {field.name: field.default for field in dataclasses.fields(LatencyRequest)}
    for name, meaning in (("threads", "threads of either side"), ("iterations", "timed pairs of runs"), ("warmup", "runs before those")):
        latency.add_argument(f"--{name}", type=int, default=defaults[name], help=f"{meaning} (default: %(default)s)")
    latency.add_argument("--json", type=Path, dest="out", help="also write the results to this file")
    latency.set_defaults(run=_run_latency)
    _add_operations(commands.add_parser("operations", help="time every kernel of one network of an android bundle"))
    _add_peers(commands.add_parser("peers", help="time one decoder in every runtime at hand, folded and naive, beside the roofline"))
    _add_render(commands.add_parser("render", help="images per second of the face renderer, and where the time goes"))
    _add_train(commands.add_parser("train", help="images per second of editor training, against a plain loop of the published recipe"))
    return parser


def _add_operations(operations: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(OperationsRequest)}
    operations.add_argument("--bundle", type=Path, required=True, help="NAME.textedit of target android")
    operations.add_argument("--part", default=defaults["part"], help="encoder, decoder, text_editor or editors/ID (default: %(default)s)")
    for name, meaning in (("threads", "threads of the runtime"), ("iterations", "timed runs"), ("warmup", "runs before those")):
        operations.add_argument(f"--{name}", type=int, default=defaults[name], help=f"{meaning} (default: %(default)s)")
    operations.add_argument("--json", type=Path, dest="out", help="also write the results to this file")
    operations.set_defaults(run=_run_operations)


def _add_peers(peers: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(PeersRequest)}
    peers.add_argument("--preset", default=defaults["preset"], help="whose decoder, with random weights (default: %(default)s)")
    for name, meaning in (("threads", "threads of each form"), ("iterations", "timed rounds"), ("warmup", "rounds before those")):
        peers.add_argument(f"--{name}", type=int, default=defaults[name], help=f"{meaning} (default: %(default)s)")
    peers.add_argument(
        "--no-naive-executorch", dest="naive_executorch", action="store_false", help="leave out the slowest form, over a minute per image"
    )
    peers.add_argument("--json", type=Path, dest="out", help="also write the results to this file")
    peers.set_defaults(run=_run_peers)


def _add_render(render: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(RenderRequest)}
    render.add_argument("--assets", type=Path, required=True, help="the asset tree or a packed copy of it (see docs/faces.md)")
    render.add_argument("--images", type=int, default=defaults["images"], help="timed images, of all processes (default: %(default)s)")
    render.add_argument("--workers", type=int, help="processes (default: one per core)")
    render.add_argument("--resolution", type=int, default=defaults["resolution"], help="side in pixels (default: %(default)s)")
    render.add_argument("--json", type=Path, dest="out", help="also write the results to this file")
    render.set_defaults(run=_run_render)


def _add_train(train: argparse.ArgumentParser) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(TrainSpeedRequest)}
    train.add_argument("--checkpoint", type=Path, help="whose networks and sample faces are used (default: the embedded reference)")
    train.add_argument("--prompt", default=defaults["prompt"], help="one of its prompts (default: %(default)s)")
    meanings = {
        "batch": "images per step",
        "steps": "timed steps of each loop, taken in turn",
        "warmup": "untimed steps of each before those",
        "threads": "threads of PyTorch",
    }
    for name, meaning in meanings.items():
        train.add_argument(f"--{name}", type=int, default=defaults[name], help=f"{meaning} (default: %(default)s)")
    train.add_argument("--json", type=Path, dest="out", help="also write the results to this file")
    train.set_defaults(run=_run_train)


def _run_latency(options: argparse.Namespace) -> int:
    from benchmarks.latency import format_table, measure
    from benchmarks.results import write_results

    request = LatencyRequest(options.bundle, options.checkpoint, options.threads, options.iterations, options.warmup)
    results = measure(request)
    print(format_table(results))
    if options.out is not None:
        write_results(results, options.out)
    return 0


def _run_operations(options: argparse.Namespace) -> int:
    from benchmarks.operations import format_table, measure
    from benchmarks.results import write_results

    fields = [field.name for field in dataclasses.fields(OperationsRequest)]
    results = measure(OperationsRequest(**{name: getattr(options, name) for name in fields}))
    print(format_table(results))
    if options.out is not None:
        write_results(results, options.out)
    return 0


def _run_peers(options: argparse.Namespace) -> int:
    from benchmarks.peers import format_table, measure
    from benchmarks.results import write_results

    fields = [field.name for field in dataclasses.fields(PeersRequest)]
    results = measure(PeersRequest(**{name: getattr(options, name) for name in fields}))
    print(format_table(results))
    if options.out is not None:
        write_results(results, options.out)
    return 0


def _run_render(options: argparse.Namespace) -> int:
    from benchmarks.render import format_table, measure
    from benchmarks.results import write_results

    results = measure(RenderRequest(options.assets, options.images, options.workers, options.resolution))
    print(format_table(results))
    if options.out is not None:
        write_results(results, options.out)
    return 0


def _run_train(options: argparse.Namespace) -> int:
    from benchmarks.results import write_results
    from benchmarks.train import format_table, measure

    fields = [field.name for field in dataclasses.fields(TrainSpeedRequest)]
    results = measure(TrainSpeedRequest(**{name: getattr(options, name) for name in fields}))
    print(format_table(results))
    if options.out is not None:
        write_results(results, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
