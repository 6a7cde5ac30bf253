"""What all measurements share: the machine they were taken on, the spread of repeated values, their schema, their file."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from textedit_core.errors import UserError


def describe_host() -> dict[str, Any]:
    """Processor, number of cores and system."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.platform()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def spread(values: list[float]) -> dict[str, float]:
    """Median, 10th and 90th percentile, linearly interpolated."""
    import numpy as np

    low, median, high = np.percentile(values, [10, 50, 90])
    return {"median": float(median), "p10": float(low), "p90": float(high)}


def spread_cell(values: dict[str, float], digits: int) -> str:
    """What `spread` returned as one cell of a table."""
    return f"{values['median']:.{digits}f} ({values['p10']:.{digits}f} to {values['p90']:.{digits}f})"


def validate(results: dict[str, Any], schema_path: Path) -> None:
    """Checks results against their schema, named NAME.schema.json.

    Raises:
        UserError: they do not fit; the message says where.
    """
    import jsonschema

    schema = json.loads(schema_path.read_text("utf8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(results):
        where = "/".join(map(str, error.path)) or "top level"
        raise UserError(f"{schema_path.name.split('.')[0]} results break their schema at {where}: {error.message}")


def write_results(results: dict[str, Any], path: Path) -> None:
    """Writes results as JSON, atomically.

    Raises:
        UserError: the folder cannot be written.
    """
    scratch = path.with_name(f".{path.name}.writing")
    try:
        scratch.write_text(json.dumps(results, indent=1) + "\n", "utf8")
        os.replace(scratch, path)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from None
