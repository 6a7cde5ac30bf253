"""The result document of every benchmark: the machine it was taken on, measurements, what follows from them, its schema and its file.

docs/benchmarks.md says what the fields mean; result.schema.json is their formal half, which the apps write as well.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from textedit_core.atomic import write_text
from textedit_core.errors import UsageError, UserError

SCHEMA_PATH = Path(__file__).with_name("result.schema.json")
SCHEMA_VERSION = 1

Document = dict[str, Any]


def describe_machine() -> dict[str, Any]:
    """This computer, as `machine` of a document."""
    machine = {
        "kind": "desktop",
        "emulated": False,
        "model": platform.machine() or "unknown",
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "system": platform.platform(),
    }
    if hasattr(os, "getloadavg"):
        machine["load_average"] = round(os.getloadavg()[0], 2)
    return machine


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf8").splitlines()
    except OSError:
        return platform.processor() or platform.machine() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Recorder:
    """Collects one run of one benchmark; to be made before anything is timed, since it notes how busy the machine is.

    Args:
        benchmark: the command's name.
        subject: what was measured; see the schema.
        settings: what the run was asked for.
        packages: Python packages whose versions the document records.
    """

    def __init__(self, benchmark: str, subject: Mapping[str, Any], settings: Mapping[str, Any], packages: Iterable[str]) -> None:
        taken_at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._document: Document = {
            "schema_version": SCHEMA_VERSION,
            "benchmark": benchmark,
            "taken_at": taken_at,
            "machine": describe_machine(),
            "software": {"python": platform.python_version(), **{name: version(name) for name in packages}},
            "subject": dict(subject),
            "settings": dict(settings),
            "measurements": [],
            "figures": [],
            "absent": [],
        }

    def describe(self, **facts: str) -> None:
        """Adds to what the document says of the machine."""
        self._document["machine"] |= facts

    def measure(
        self,
        identifier: str,
        group: str,
        unit: str,
        samples: Iterable[float],
        *,
        series: str | None = None,
        scale: tuple[str, float] | None = None,
        **labels: str | float | bool,
    ) -> None:
        """Adds a measurement; `series` is its id unless given, `scale` is axis and value."""
        entry: dict[str, Any] = {"id": identifier, "group": group, "series": series or identifier, "unit": unit, "samples": list(samples)}
        if scale is not None:
            entry["scale"] = {"axis": scale[0], "value": scale[1]}
        if labels:
            entry["labels"] = labels
        self._document["measurements"].append(entry)

    def lack(self, identifier: str, reason: str) -> None:
        """Notes that something was not measured, and why."""
        self._document["absent"].append({"id": identifier, "reason": reason})

    def samples(self, identifier: str) -> list[float] | None:
        """The samples of a measurement, or None where it is absent."""
        return next((entry["samples"] for entry in self._document["measurements"] if entry["id"] == identifier), None)

    def conclude(
        self,
        identifier: str,
        text: str,
        unit: str,
        samples: Iterable[float],
        sources: Iterable[str],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Adds a figure that follows from the measurements `sources`; a goal is met by the median of its samples."""
        values = list(samples)
        figure: dict[str, Any] = {"id": identifier, "text": text, "unit": unit, "samples": values, "from": list(sources)}
        middle = spread(values)["median"]
        if at_least is not None:
            figure |= {"goal": {"at_least": at_least}, "met": middle >= at_least}
        if at_most is not None:
            figure |= {"goal": {"at_most": at_most}, "met": middle <= at_most}
        self._document["figures"].append(figure)

    def ratio(
        self,
        identifier: str,
        text: str,
        of: str,
        over: str,
        *,
        unit: str = "ratio",
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Adds the figure `of` / `over`, round by round; where one of them is absent, so is the figure."""
        upper, lower = self.samples(of), self.samples(over)
        if upper is None or lower is None:
            self.lack(identifier, f"{of if upper is None else over!r} was not measured")
            return
        pairs = zip(upper, lower, strict=False)
        self.conclude(identifier, text, unit, [a / b for a, b in pairs], (of, over), at_least=at_least, at_most=at_most)

    def finish(self) -> Document:
        """The document, checked against its schema.

        Raises:
            UserError: it does not fit; the message says where.
        """
        validate(self._document)
        return self._document


def spread(values: list[float]) -> dict[str, float]:
    """Median, 10th and 90th percentile, linearly interpolated."""
    import numpy as np

    low, median, high = np.percentile(values, [10, 50, 90])
    return {"median": float(median), "p10": float(low), "p90": float(high)}


def require_counts(**counts: int) -> None:
    """Refuses counts below one.

    Raises:
        UsageError: naming the option.
    """
    for name, value in counts.items():
        if value < 1:
            raise UsageError(f"--{name.replace('_', '-')} {value} is too small; give at least 1")


def validate(document: Document, name: str = "the result") -> None:
    """Checks a document against the schema, and that no id is used twice.

    Raises:
        UserError: it does not fit; the message says where.
    """
    import jsonschema

    schema = json.loads(SCHEMA_PATH.read_text("utf8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        where = "/".join(map(str, error.path)) or "top level"
        raise UserError(f"{name} breaks {SCHEMA_PATH.name} at {where}: {error.message}")
    for key in ("measurements", "figures"):
        ids = [entry["id"] for entry in document.get(key, [])]
        repeated = next((each for each in ids if ids.count(each) > 1), None)
        if repeated is not None:
            raise UserError(f"{name} has two {key} with the id {repeated!r}")


def read_document(path: Path) -> Document:
    """Reads a result and checks it.

    Raises:
        UserError: the file is missing, is no JSON, or breaks the schema.
    """
    try:
        document = json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)!r} cannot be read as a result: {error}") from None
    validate(document, str(path))
    return document


def write_document(document: Document, path: Path) -> None:
    """Writes a result as JSON, atomically.

    Raises:
        UserError: the folder cannot be written.
    """
    write_text(path, json.dumps(document, indent=1) + "\n")
