"""Files and folders that are complete or absent, whatever ends the process that writes them; and locks that end with their process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from textedit_core.atomic import replacing_file, replacing_folder, sweep, write_bytes, write_text
from textedit_core.errors import UserError
from textedit_core.exchange import exchange
from textedit_core.file_lock import sole_writer

Replacing = Callable[[Path], AbstractContextManager[Path]]
WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from textedit_core.atomic import replacing_folder
with replacing_folder(sys.argv[1]) as draft:
    (draft / "half").write_bytes(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""
# Dies as soon as the two folders have changed places.
DIE_AFTER_THE_EXCHANGE = """
import os, signal, sys
from textedit_core import atomic
exchange = atomic.exchange
def exchange_once(first, second):
    exchange(first, second)
    os.kill(os.getpid(), signal.SIGKILL)
atomic.exchange = exchange_once
with atomic.replacing_folder(sys.argv[1]) as draft:
    (draft / "new").write_bytes(b"new")
"""
# Dies when the old folder has made way and the new one is not yet in its place, on a file system that cannot exchange them.
DIE_IN_THE_SWAP = """
import os, signal, sys
from textedit_core import atomic
from textedit_core.atomic import replacing_folder
atomic.exchange = lambda first, second: False
rename = os.rename
def rename_once(source, destination):
    rename(source, destination)
    os.kill(os.getpid(), signal.SIGKILL)
with replacing_folder(sys.argv[1]) as draft:
    (draft / "new").write_bytes(b"new")
    os.rename = rename_once
"""
LOCK = """
import sys, time
from textedit_core.exchange import exchange
from textedit_core.file_lock import sole_writer
with sole_writer(sys.argv[1]):
    print("ready", flush=True)
    time.sleep(60)
"""


@contextmanager
def running(script: str, path: Path, repository: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has come to its `ready`; killed in the end."""
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    with replacing_file(tmp_path / "deep" / "a.json") as draft:
        assert draft.name == "a.json"
        draft.write_text("whole")
        assert not (tmp_path / "deep" / "a.json").exists()
    assert (tmp_path / "deep" / "a.json").read_text() == "whole"
    assert names(tmp_path / "deep") == ["a.json"]


@pytest.mark.parametrize("failure", [RuntimeError("stopped"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, failure: BaseException) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(type(failure)), replacing_file(tmp_path / "a") as draft:
        draft.write_text("half")
        raise failure
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_full_disk_is_one_line_that_names_the_place(tmp_path: Path, replacing: Replacing) -> None:
    with pytest.raises(UserError, match=r"^cannot write '.*/out': No space left on device$"), replacing(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_file_in_the_way_is_one_line(tmp_path: Path, replacing: Replacing) -> None:
    write_bytes(tmp_path / "file", b"in the way")
    with pytest.raises(UserError, match="^cannot write '.*/file/out': "), replacing(tmp_path / "file" / "out"):
        pass


def test_a_file_is_not_written_over_a_folder_nor_a_folder_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    write_bytes(tmp_path / "file", b"")
    with pytest.raises(UserError, match="folder': it is not a plain file"), replacing_file(tmp_path / "folder"):
        pass
    with pytest.raises(UserError, match="file': it is not a folder"), replacing_folder(tmp_path / "file"):
        pass


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(UserError, match="not a plain file"):
        write_bytes(os.devnull, b"")


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to("disk/a")
    (tmp_path / "folder").symlink_to("disk/folder")
    for text in ("first", "second"):
        write_text(tmp_path / "a", text)
        with replacing_folder(tmp_path / "folder") as draft:
            (draft / text).touch()
    assert (tmp_path / "a").is_symlink() and (tmp_path / "folder").is_symlink()
    assert (tmp_path / "disk" / "a").read_text() == "second"
    assert names(tmp_path / "disk") == ["a", "folder"]
    assert names(tmp_path / "disk" / "folder") == ["second"]


def test_modes_are_kept_and_new_ones_are_the_usual(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    (tmp_path / "usual folder").mkdir()
    for path, writing in ((tmp_path / "a", replacing_file), (tmp_path / "folder", replacing_folder)):
        with writing(path) as draft:
            if writing is replacing_file:
                draft.touch(0o600)
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "folder").stat().st_mode == (tmp_path / "usual folder").stat().st_mode
    (tmp_path / "a").chmod(0o640)
    (tmp_path / "folder").chmod(0o750)
    write_bytes(tmp_path / "a", b"new")
    with replacing_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_folder_takes_the_place_of_another_as_a_whole(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "out") as draft:
        write_bytes(draft / "old", b"")
    with replacing_folder(tmp_path / "out") as draft:
        write_bytes(draft / "new", b"")
        assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_moved_in_puts_the_old_one_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with replacing_folder(tmp_path / "out") as draft:
        write_bytes(draft / "old", b"")
    rename = os.rename

    def refusing(source: Path, destination: Path) -> None:
        if source.parent.name == "new":
            raise OSError(5, "Input/output error")
        rename(source, destination)

    monkeypatch.setattr("os.rename", refusing)
    monkeypatch.setattr("textedit_core.atomic.exchange", lambda first, second: False)
    with pytest.raises(UserError, match="Input/output error"), replacing_folder(tmp_path / "out"):
        pass
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_the_next_writer_sweeps_what_a_killed_one_left_and_nothing_else(tmp_path: Path, repository: Path) -> None:
    (tmp_path / ".textedit-writing-notes").mkdir()
    (tmp_path / ".textedit-writing-notes" / "of the user").touch()
    with running(WRITE_SLOWLY, tmp_path / "out", repository) as process:
        write_text(tmp_path / "beside", "x")
        (writing,) = tmp_path.glob(".textedit-writing-*/new")
        assert (writing / "out" / "half").read_bytes() == b"half"
        process.kill()
        process.wait()
        assert writing.exists()
        write_text(tmp_path / "beside", "y")
        assert not writing.exists()
    assert names(tmp_path) == [".textedit-writing-notes", "beside"]


def test_what_was_to_be_replaced_is_put_back_when_a_swap_was_killed(tmp_path: Path, repository: Path) -> None:
    with replacing_folder(tmp_path / "out") as draft:
        write_bytes(draft / "old", b"")
    command = [sys.executable, "-c", DIE_IN_THE_SWAP, str(tmp_path / "out")]
    assert subprocess.run(command, cwd=repository).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    sweep(tmp_path)
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_a_reader_never_finds_nothing_while_folders_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    if not exchange(tmp_path / "first", tmp_path / "second"):
        pytest.skip("this file system cannot exchange folders")
    with replacing_folder(tmp_path / "out"):
        pass
    # Any step that takes the old folder away before the new one is there would be one of these.
    monkeypatch.setattr("os.rename", lambda source, destination: pytest.fail(f"{source} renamed"))
    monkeypatch.setattr("os.replace", lambda source, destination: pytest.fail(f"{source} renamed"))
    with replacing_folder(tmp_path / "out") as draft:
        (draft / "new").touch()
    assert names(tmp_path) == ["first", "out", "second"]
    assert names(tmp_path / "out") == ["new"]


def test_a_process_killed_after_the_exchange_leaves_the_new_folder(tmp_path: Path, repository: Path) -> None:
    with replacing_folder(tmp_path / "out") as draft:
        write_bytes(draft / "old", b"")
    command = [sys.executable, "-c", DIE_AFTER_THE_EXCHANGE, str(tmp_path / "out")]
    assert subprocess.run(command, cwd=repository).returncode == -signal.SIGKILL
    assert names(tmp_path / "out") == ["new"]
    sweep(tmp_path)
    assert names(tmp_path) == ["out"]


def test_an_exchange_of_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"a")
    assert not exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == b"a"
    assert names(tmp_path) == ["a"]


def test_a_second_writer_is_refused_by_name_until_the_first_ends(tmp_path: Path, repository: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "link").symlink_to(out)
    with running(LOCK, tmp_path / "link", repository) as process:
        refusal = f"out' is being written by process {process.pid} on .* since 20.*; wait until that ends"
        with pytest.raises(UserError, match=refusal), sole_writer(out):
            pass
        process.kill()
        process.wait()
        with sole_writer(out), pytest.raises(UserError, match=f"by process {os.getpid()} "), sole_writer(out):
            pass
    assert names(tmp_path) == ["link"]


def test_a_lock_is_let_go_of_when_the_work_fails(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), sole_writer(tmp_path / "out"):
            raise RuntimeError
    assert names(tmp_path) == []


def test_a_lock_where_nothing_can_be_written_is_one_line(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"")
    with pytest.raises(UserError, match="^cannot write '.*out': "), sole_writer(tmp_path / "file" / "out"):
        pass
