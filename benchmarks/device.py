"""Has the demo app measure itself on a connected device, by the platform's own tools, and takes over the result that it wrote."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.request import DeviceRequest
from benchmarks.results import Document, read_document, write_document
from textedit_core.errors import UsageError, UserError

# Twenty rounds take seconds; before them the system may compile the networks, once for each version of the bundle.
_TIMEOUT_S = 900
_IOS_APP = "org.textedit.GalleryDemo"
_ANDROID_APP = "textedit.demo"
# What an app may write without a permission, and adb may read.
_ANDROID_FILES = f"/sdcard/Android/data/{_ANDROID_APP}/files"
_ANDROID_RESULT, _ANDROID_ERROR = f"{_ANDROID_FILES}/benchmark.json", f"{_ANDROID_FILES}/benchmark-error.txt"
# For the device's shell. -S ends an earlier process, whose memory would hide what the networks take. am succeeds even where there is no
# such activity, and does not wait for the end of one.
_ANDROID_START = f"""am start -S -W -n {_ANDROID_APP}/.BenchmarkActivity --ez run true 2>&1 | {{
    said=$(cat)
    case "$said" in *Error*) echo "$said" >&2; exit 1;; esac
}}"""
_ANDROID_WAIT = f"""until [ -f {_ANDROID_RESULT} ]; do
    if [ -f {_ANDROID_ERROR} ]; then cat {_ANDROID_ERROR} >&2; exit 1; fi
    sleep 1
done"""


@dataclass(frozen=True)
class Collector:
    """How one kind of device is made to measure itself.

    Attributes:
        tool: the platform's own program.
        origin: where that comes from.
        devices: the command that lists what is connected.
        needs_device: whether the tool takes no device by itself.
        commands: the commands for a device (None: the only one) that run the app and copy its result to a file, in order. The app deletes
            an older result before it measures, and ends with an error when it cannot.
    """

    tool: str
    origin: str
    devices: str
    needs_device: bool
    commands: Callable[[str | None, Path], list[list[str]]]


def _ios_commands(device: str | None, destination: Path) -> list[list[str]]:
    devicectl = ["xcrun", "devicectl", "device"]
    on = ["--device", str(device)]
    place = ["--domain-type", "appDataContainer", "--domain-identifier", _IOS_APP]
    files = ["--source", "Documents/benchmark.json", "--destination", str(destination)]
    return [
        # With --console the tool waits for the app's end and takes over its exit status.
        [*devicectl, "process", "launch", *on, "--terminate-existing", "--console", _IOS_APP, "--benchmark"],
        [*devicectl, "copy", "from", *on, *place, *files],
    ]


def _android_commands(device: str | None, destination: Path) -> list[list[str]]:
    adb = ["adb", *(() if device is None else ("-s", device))]
    return [
        [*adb, "shell", f"rm -f {_ANDROID_RESULT} {_ANDROID_ERROR}"],
        [*adb, "shell", _ANDROID_START],
        [*adb, "shell", _ANDROID_WAIT],
        [*adb, "pull", _ANDROID_RESULT, str(destination)],
    ]


# By `machine.kind` of the result.
COLLECTORS: dict[str, Collector] = {
    "android": Collector("adb", "Android Studio, or the package adb of Debian", "adb devices", False, _android_commands),
    "ios": Collector("xcrun", "Xcode 16 on a Mac", "xcrun devicectl list devices", True, _ios_commands),
}


def collect(request: DeviceRequest) -> Document:
    """Runs the app's benchmark and stores its result.

    Raises:
        UsageError: the tool needs a device and none is named.
        UserError: the tool is missing or fails, or what the app wrote is no result of this kind of device; no file is written then.
    """
    collector = COLLECTORS[request.kind]
    if request.device is None and collector.needs_device:
        raise UsageError(f"--{request.kind} needs --device NAME; `{collector.devices}` lists the names")
    with tempfile.TemporaryDirectory() as folder:
        fetched = Path(folder, "benchmark.json")
        for command in collector.commands(request.device, fetched):
            _run(command, collector)
        document = read_document(fetched)
    found = document["benchmark"], document["machine"]["kind"]
    if found != ("device", request.kind):
        raise UserError(f"the app wrote a result of {found[0]} on {found[1]}, not of device on {request.kind}; nothing was stored")
    write_document(document, request.out)
    return document


def _run(command: list[str], collector: Collector) -> None:
    shown = " ".join(" ".join(command).split()[:5])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise UserError(f"{collector.tool} is not installed; it comes with {collector.origin}") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"`{shown} ...` did not end within {_TIMEOUT_S} s; is the device unlocked?") from None
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise UserError(f"`{shown} ...` failed with status {done.returncode}: {lines[-1] if lines else 'it said nothing'}")
