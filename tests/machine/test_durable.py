"""Small files are whole or not there, also on a full disk."""

import os

import pytest

from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import NoSpaceError


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
