"""Small files are whole or not there, also on a full disk."""

import os

import pytest

from dmtui.machine.durable import DurableFiles, InUseError, IrregularFileError
from dmtui.machine.errors import ExistsError, NoSpaceError
from dmtui.thinpool.errors import NotPermittedError


def test_a_full_disk_leaves_the_old_content_and_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "record"
    DurableFiles().write(str(path), b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpaceError):
        DurableFiles().write(str(path), b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("record", b"old")]


def test_content_is_replaced_and_lines_are_added(tmp_path):
    path = str(tmp_path / "file")
    DurableFiles().write(path, b"first\n")
    DurableFiles().append(path, "second")
    assert DurableFiles().read(path) == b"first\nsecond\n"
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_file_is_moved_with_all_that_is_in_it(tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "file").write_bytes(b"content")
    DurableFiles().move(str(tmp_path / "file"), str(tmp_path / "away" / "file"))
    assert (tmp_path / "away" / "file").read_bytes() == b"content"
    assert not (tmp_path / "file").exists()


def test_nothing_is_moved_onto_what_is_there(tmp_path):
    for name in ("file", "other"):
        (tmp_path / name).write_text(name)
    with pytest.raises(ExistsError):
        DurableFiles().move(str(tmp_path / "file"), str(tmp_path / "other"))
    assert (tmp_path / "other").read_text() == "other"


@pytest.mark.parametrize(("user", "words"), [(0, "see what protects it"), (1000, "act as its owner or root")])
def test_a_file_that_may_not_be_touched_names_a_way_that_can_help(tmp_path, monkeypatch, user, words):
    """Neither root nor a user of the emulated machine is told to become what he is."""

    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(NotPermittedError, match=words) as caught:
        DurableFiles().lock(str(tmp_path / "lock"), None)
    assert "--machine emulated" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_read(tmp_path, make):
    make(tmp_path / "path")
    with pytest.raises(IrregularFileError):
        DurableFiles().read(str(tmp_path / "path"))


def test_a_line_that_a_kill_cut_short_goes_with_the_next_one(tmp_path):
    path = tmp_path / "log"
    path.write_text("first\nsec")
    DurableFiles().append(str(path), "third")
    assert path.read_text() == "first\nthird\n"


def test_a_durable_note_never_takes_the_place_of_an_earlier_one(tmp_path):
    path = tmp_path / "intent"
    DurableFiles().lock(str(path), "first", durable=True).release()
    DurableFiles().lock(str(path), "second", durable=True).release()
    assert path.read_text().split() == ["first", "second"]


def test_the_next_holder_of_a_lock_knows_whether_the_last_one_came_to_his_end(tmp_path):
    path = str(tmp_path / "lock")
    DurableFiles().lock(path, "killed").release()
    lock = DurableFiles().lock(path, "in order")
    assert lock.earlier == "killed"
    lock.finish()
    assert DurableFiles().lock(path, None).earlier == ""


def test_who_finds_his_own_mark_in_a_lock_knows_that_nobody_had_it_in_between(tmp_path):
    path = str(tmp_path / "lock")
    mark = DurableFiles().lock(path, "a note that is longer than any mark, " * 4).finish()
    again = DurableFiles().lock(path, "one")
    assert (again.found, again.earlier) == (mark, "")
    mark = again.finish()
    DurableFiles().lock(path, "two").finish()
    assert DurableFiles().lock(path, "one").found != mark


def test_a_mark_is_not_taken_for_the_name_of_the_holder(tmp_path):
    path = str(tmp_path / "lock")
    DurableFiles().lock(path, "one").finish()
    holder = DurableFiles().lock(path, None)
    with pytest.raises(InUseError, match="in use by another process"):
        DurableFiles().lock(path, "two")
    holder.release()
