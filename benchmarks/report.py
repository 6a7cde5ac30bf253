"""Result documents side by side: one Markdown page with tables and plots.

Nothing is computed across documents. Documents of desktops and of devices are not joined, nor those of devices and of emulators.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.plots import Entries, drawable, write_plot
from benchmarks.request import ReportRequest
from benchmarks.results import Document, read_document, write_text
from benchmarks.tables import cell, conditions, headline, verdict
from textedit_core.errors import UsageError, UserError

PAGE = "report.md"

Documents = dict[str, Document]
# Draws the measurements of a group under a file name.
Plot = Callable[[str, Entries], None]


def write_report(request: ReportRequest) -> Path:
    """Joins results.

    Returns:
        The page; its plots lie beside it.

    Raises:
        UsageError: no result was named, one twice, or results of different kinds of machines.
        UserError: a file is no valid result, or the folder cannot be written.
    """
    documents = read_all(request.results)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {str(request.out)!r}: {error.strerror}") from None

    def plot(name: str, entries: Entries) -> None:
        write_plot(entries, request.out / name)

    # The page last: where it stands, its plots do.
    write_text(request.out / PAGE, markdown(documents, plot))
    return request.out / PAGE


def read_all(paths: Sequence[Path]) -> Documents:
    """Reads results by a short name: the file's, or its whole path where two files are called alike.

    Raises:
        UsageError: no path, one path twice, or results of different kinds of machines.
        UserError: a file is no valid result.
    """
    if not paths:
        raise UsageError("name at least one result file")
    repeated = next((path for path in paths if list(paths).count(path) > 1), None)
    if repeated is not None:
        raise UsageError(f"{str(repeated)!r} is named twice")
    stems = [path.stem for path in paths]
    names = [str(path) if stems.count(path.stem) > 1 else path.stem for path in paths]
    documents = {name: read_document(path) for name, path in zip(names, paths, strict=True)}
    _require_one_kind(documents)
    return documents


def _require_one_kind(documents: Documents) -> None:
    kinds = {_kind(document): name for name, document in documents.items()}
    if len(kinds) > 1:
        found = ", ".join(f"{kind} ({name})" for kind, name in kinds.items())
        raise UsageError(f"results of different kinds of machines say nothing about each other: {found}; report them apart")


def _kind(document: Document) -> str:
    machine = document["machine"]
    return f"emulated {machine['kind']}" if machine["emulated"] else str(machine["kind"])


def markdown(documents: Documents, plot: Plot) -> str:
    """The page.

    Args:
        documents: by name.
        plot: draws the measurements of one group, by document, under a file name.
    """
    lines = ["# Benchmark results", "", f"Kind of machine: {_kind(next(iter(documents.values())))}.", ""]
    lines += ["| result | what, on which machine | conditions | taken at |", "|---|---|---|---|"]
    for name, document in documents.items():
        lines.append(_row([name, headline(document), conditions(document), document["taken_at"]]))
    lines += _goals(documents)
    for benchmark in dict.fromkeys(document["benchmark"] for document in documents.values()):
        of_benchmark = {name: document for name, document in documents.items() if document["benchmark"] == benchmark}
        lines += ["", f"## {benchmark}", *_section(benchmark, of_benchmark, plot)]
    return "\n".join(lines) + "\n"


def _goals(documents: Documents) -> list[str]:
    rows = [
        _row([figure["text"], cell(figure["samples"], figure["unit"]), verdict(figure), name])
        for name, document in documents.items()
        for figure in document.get("figures", [])
        if "goal" in figure
    ]
    return ["", "## Goals", "", "| what | measured | goal | result |", "|---|---|---|---|", *rows] if rows else []


def _section(benchmark: str, documents: Documents, plot: Plot) -> Iterator[str]:
    for group, unit in dict.fromkeys((m["group"], m["unit"]) for document in documents.values() for m in document["measurements"]):
        entries = {
            name: [m for m in document["measurements"] if (m["group"], m["unit"]) == (group, unit)] for name, document in documents.items()
        }
        yield from ("", f"### {group}", "", *_table(entries))
        if drawable(entries):
            name = "".join(c if c.isalnum() else "_" for c in f"{benchmark} {group} {unit}") + ".png"
            plot(name, entries)
            yield from ("", f"![{group}, median with 10th to 90th percentile]({name})")
    figures = {name: document.get("figures", []) for name, document in documents.items()}
    if any(figures.values()):
        yield from ("", "### what follows from these", "", *_table(figures, "text"))
    for name, document in documents.items():
        for absent in document.get("absent", []):
            yield from ("", f"Not measured in {name}: {absent['id']}. {absent['reason']}")


def _table(entries: Entries, label: str = "id") -> Iterator[str]:
    yield _row(["", *entries])
    yield "|---" * (1 + len(entries)) + "|"
    for identifier in dict.fromkeys(entry["id"] for each in entries.values() for entry in each):
        found = [next((entry for entry in each if entry["id"] == identifier), None) for each in entries.values()]
        first = next(entry for entry in found if entry is not None)
        yield _row([first[label], *("" if entry is None else cell(entry["samples"], entry["unit"]) for entry in found)])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace(os.linesep, " ") for cell in cells) + " |"
