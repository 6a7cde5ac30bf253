"""Damage done on purpose: a short sample of every fault, and that a product which takes damage badly is told of."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import archives, bundles, checkpoints, edit_loop, ground, interruptions, mutants, photos, run
from benchmarks.faults.case import Broken, Case, Fault, Outcome, numbers_of, require_one_line
from benchmarks.faults.journal import FAILED, Entry, Journal
from benchmarks.faults.watched import Stop, run_watched
from benchmarks.faults.works import WORKS, Work
from benchmarks.request import FaultsRequest
from benchmarks.results import validate
from export.bundle import open_bundle
from tests.contracts.trust import as_ios, bundle_files, write_folder
from tests.export.test_manifest import sample, vector_sample
from textedit_core.atomic import write_bytes
from textedit_core.errors import UsageError, UserError

SMALL = bundle_files(as_ios(sample()))
LARGE = bundle_files(as_ios(vector_sample()))
(UPDATE,) = (work for work in WORKS if work.name == "update")


@pytest.mark.parametrize("kind", sorted(mutants.MUTATIONS))
def test_no_mutated_folder_is_taken(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutants, "MUTATIONS", {kind: mutants.MUTATIONS[kind]})
    monkeypatch.setattr(bundles, "_ZIPS", 0)
    assert _words(bundles.cases_of(LARGE), "bundles", 6, tmp_path) == {"refused"}


@pytest.mark.parametrize("kind", sorted(archives.DAMAGES))
def test_no_damaged_zip_is_taken_unless_no_file_is_harmed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "DAMAGES", {kind: archives.DAMAGES[kind]})
    monkeypatch.setattr(bundles, "_ZIPS", 10)
    assert _words(bundles.cases_of(SMALL), "bundles", 4, tmp_path) <= {"refused", "harmless, every file as it was"}


def test_a_reader_that_takes_damage_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "open_bundle", lambda path: contextlib.nullcontext())
    monkeypatch.setattr(bundles, "_ZIPS", 0)
    with pytest.raises(Broken, match=": taken"):
        _words(bundles.cases_of(SMALL), "bundles", 1, tmp_path)


def test_the_whole_bundle_is_taken_so_that_only_the_damage_is_refused(tmp_path: Path) -> None:
    with open_bundle(mutants.Mutant("none", LARGE).write(tmp_path / "whole")) as opened:
        assert mutants.files_of(opened.root) == LARGE


def test_mutants_are_the_same_again_and_can_be_given_to_other_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_folder(tmp_path / "whole", SMALL)
    monkeypatch.setattr(bundles, "bundle_in", lambda folder: root)
    written = [bundles.write_mutants(tmp_path, 3, 40, tmp_path / name) for name in ("a", "b")]
    (first,), (second,) = ([path.read_text() for path in (tmp_path / name).iterdir()] for name in ("a", "b"))
    assert first == second and written == [written[0]] * 2
    vectors = json.loads(first)
    # Seven of ten are folders, and about as many of 40.
    assert 20 <= len(vectors["cases"]) == written[0] <= 36
    assert all(digest in vectors["contents"] for case in vectors["cases"] for digest in case["files"].values())


def test_mutated_checkpoints_are_refused_or_imported_within_bounds(tmp_path: Path) -> None:
    case = checkpoints.cases_of(checkpoints.foreign_files_in(tmp_path))
    outcomes = list(_outcomes(case, "checkpoints", 20, tmp_path))
    assert {outcome.word for outcome in outcomes} <= {"refused", "imported"}
    assert max(size for outcome in outcomes for size in outcome.sizes.values()) < checkpoints.MOST_BYTES


def test_odd_photos_are_edited_or_refused(tmp_path: Path) -> None:
    assert _words(photos.cases_of(ground.model_in(tmp_path)), "photos", 25, tmp_path) == {"edited", "refused"}


def _light_update(folder: Path) -> Work:
    """An update of a bundle whose networks are a few bytes: the same steps, without a model."""
    newer = write_folder(folder / "newer", LARGE)

    def lay_out(_: Path, place: Path) -> list[str]:
        return ["update", str(write_folder(place / "out" / "tiny-onnx.textedit", SMALL)), str(newer)]

    return Work(UPDATE.name, UPDATE.program, lay_out, UPDATE.require_usable)


@pytest.mark.parametrize("kind", ["kill", "full disk"])
def test_an_update_that_is_broken_off_leaves_a_whole_bundle(kind: str, tmp_path: Path) -> None:
    case = interruptions.cases_of(kind, tmp_path / "ground", [_light_update(tmp_path)])
    words = _words(case, kind, 6, tmp_path)
    assert words <= {"update killed", "update ended before its kill", "update refused", "update had written all"}
    assert words & {"update killed", "update refused"}


def test_residue_is_told_of(tmp_path: Path) -> None:
    write_bytes(tmp_path / "out" / ".tiny.textedit.lock", b"")
    with pytest.raises(Broken, match=r"left: out/\.tiny\.textedit\.lock"):
        interruptions._require_tidy(tmp_path, "left")


def test_a_stop_comes_at_its_operation(tmp_path: Path) -> None:
    work = _light_update(tmp_path)
    whole = run_watched("export", work.lay_out(tmp_path, tmp_path / "whole"))
    assert whole is not None and whole.status == 0
    assert run_watched("export", work.lay_out(tmp_path, tmp_path / "killed"), Stop("kill", whole.operations)) is None
    late = run_watched("export", work.lay_out(tmp_path, tmp_path / "late"), Stop("kill", whole.operations + 1))
    assert late is not None and late.status == 0
    full = run_watched("export", work.lay_out(tmp_path, tmp_path / "full"), Stop("full disk", 1))
    assert full is not None and full.status == 1 and "cannot write" in full.errors


def test_memory_of_edits_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The checkpoint in the place of its bundle: the loop is the same, and no export is waited for.
    monkeypatch.setattr(edit_loop, "bundle_in", ground.model_in)
    memory = edit_loop.memory_of_edits(tmp_path, 30)
    assert 0 < memory["before"] and abs(memory["after"] - memory["before"]) < edit_loop.MOST_GROWTH_BYTES
    with pytest.raises(UsageError, match="--edits 9 is too small"):
        edit_loop.memory_of_edits(tmp_path, 9)


def _numbered(word: str) -> Fault:
    """Ends well with even numbers, crashes with odd ones."""
    tried = iter(range(1000))

    def case(rng: random.Random, folder: Path) -> Outcome:
        if next(tried) % 2:
            raise ValueError("of no use")
        return Outcome(word)

    return Fault("bundles", "a text", lambda ground: case)


def test_a_run_goes_on_where_it_was_and_failures_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.try_cases(_numbered("first"), 2, 0, Journal(tmp_path, 0), tmp_path)
    assert "bundles 1: ValueError: of no use (test_faults.py:" in capsys.readouterr().err
    (path,) = tmp_path.glob("*.jsonl")
    # Killed while it wrote the next line.
    path.write_text(path.read_text() + '{"fault": "bund')
    run.try_cases(_numbered("second"), 4, 0, Journal(tmp_path, 0), tmp_path)
    assert [entry.word for entry in Journal(tmp_path, 0).of("bundles", 4)] == ["first", FAILED, "second", FAILED]
    assert Journal(tmp_path, 1).of("bundles", 4) == []


def test_a_damaged_journal_is_one_line(tmp_path: Path) -> None:
    Journal(tmp_path, 0).add(Entry("bundles", 0, "refused"))
    (path,) = tmp_path.glob("*.jsonl")
    path.write_text("no json\n")
    with pytest.raises(UserError, match="cannot be continued .*; delete it to begin anew"):
        Journal(tmp_path, 0)


def test_the_document_counts_and_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "FAULTS", (_numbered("refused"),))
    request = FaultsRequest(tmp_path, bundles=4, checkpoints=0, kills=0, full_disks=0, photos=0, editors=0, edits=0)
    document = run.measure(request)
    validate(document)
    samples = {entry["id"]: entry["samples"] for entry in document["measurements"]}
    assert samples == {"bundles: cases": [4], "bundles: refused": [2], "bundles: failures": [2]}
    assert [figure["met"] for figure in document["figures"]] == [False]


@pytest.mark.parametrize(("counts", "message"), [({"bundles": -1}, "--bundles -1 is negative"), ({}, "nothing to try")])
def test_counts_that_say_nothing_are_usage_errors(counts: dict[str, int], message: str, tmp_path: Path) -> None:
    none = dict.fromkeys(("bundles", "checkpoints", "kills", "full_disks", "photos", "editors", "edits"), 0)
    with pytest.raises(UsageError, match=message):
        run.measure(FaultsRequest(tmp_path, **{**none, **counts}))


def test_an_error_of_several_lines_is_told_of() -> None:
    require_one_line("error: one line\n")
    for text in ("", "two\nlines", "x" * 2000):
        with pytest.raises(Broken):
            require_one_line(text)


def _outcomes(case: Case, fault: str, count: int, folder: Path) -> Iterator[Outcome]:
    for number in range(count):
        place = folder / f"case-{number}"
        place.mkdir()
        yield case(numbers_of(0, fault, number), place)
        shutil.rmtree(place)


def _words(case: Case, fault: str, count: int, folder: Path) -> set[str]:
    return {outcome.word for outcome in _outcomes(case, fault, count, folder)}
