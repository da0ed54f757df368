"""What is written at the top of a mounted image never leaves it, whatever the image holds."""

import os
import stat

import pytest

from dmtui.machine.errors import ExistsError, FileMissingError, InvalidError, MachineError
from dmtui.machine.kernel.inside import make_inside, names_inside, write_inside


@pytest.fixture
def top(tmp_path):
    (tmp_path / "top").mkdir()
    (tmp_path / "outside").mkdir()
    return tmp_path / "top"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_has_its_mode_whatever_the_umask(top):
    before = os.umask(0o077)
    try:
        make_inside(str(top), "rootfs", 0o755)
    finally:
        os.umask(before)
    assert mode(top / "rootfs") == 0o755


def test_an_existing_directory_keeps_its_mode(top):
    (top / "rootfs").mkdir(0o700)
    make_inside(str(top), "rootfs", 0o755)
    assert mode(top / "rootfs") == 0o700


def test_a_file_is_private_and_has_its_text(top):
    write_inside(str(top), "id", "3f2a\n")
    assert (top / "id").read_text() == "3f2a\n"
    assert mode(top / "id") == 0o600


def test_an_existing_file_keeps_its_text(top):
    (top / "id").write_text("old")
    write_inside(str(top), "id", "new")
    assert (top / "id").read_text() == "old"


@pytest.mark.parametrize("target", ["../outside", "../outside/none", "/etc"])
def test_no_directory_is_made_where_a_link_points(top, target):
    (top / "rootfs").symlink_to(target)
    with pytest.raises(MachineError):
        make_inside(str(top), "rootfs", 0o755)
    assert list((top.parent / "outside").iterdir()) == []


@pytest.mark.parametrize("target", ["../outside/id", "/etc/hostname"])
def test_no_file_is_written_where_a_link_points(top, target):
    (top / "id").symlink_to(target)
    with pytest.raises(ExistsError):
        write_inside(str(top), "id", "x")
    assert list((top.parent / "outside").iterdir()) == []


def test_a_top_that_is_a_link_is_refused(top):
    link = top.parent / "link"
    link.symlink_to("outside")
    for use in (
        lambda: make_inside(str(link), "rootfs", 0o755),
        lambda: write_inside(str(link), "id", "x"),
        lambda: names_inside(str(link)),
    ):
        with pytest.raises(MachineError):
            use()
    assert list((top.parent / "outside").iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0b"])
def test_a_name_is_one_name(top, name):
    with pytest.raises(InvalidError):
        make_inside(str(top), name, 0o755)
    with pytest.raises(InvalidError):
        write_inside(str(top), name, "x")


def test_a_file_that_does_not_fit_leaves_nothing(top, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="ENOSPC"):
        write_inside(str(top), "id", "x")
    assert names_inside(str(top)) == ()


def test_names_come_sorted_and_links_are_names(top):
    (top / "b").mkdir()
    (top / "a").symlink_to("/etc")
    assert names_inside(str(top)) == ("a", "b")


def test_a_missing_top_is_told_as_missing(top):
    with pytest.raises(FileMissingError):
        names_inside(str(top / "none"))
