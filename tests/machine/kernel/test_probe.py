"""Whether device-mapper is there for us, told apart without touching anything."""

import errno

import pytest

from dmtui.machine.kernel import ioctl
from dmtui.machine.kernel.probe import Presence, probe


@pytest.fixture
def misc(tmp_path):
    """A kernel's list of misc devices without device-mapper."""
    path = tmp_path / "misc"
    path.write_text("183 hw_random\n237 loop-control\n")
    return path


def test_no_control_node_means_absent_and_says_how_to_load_the_module(tmp_path, misc):
    found = probe(str(tmp_path / "control"), str(misc))
    assert found.presence is Presence.ABSENT
    assert "No such file" in found.reason
    assert "modprobe dm-thin-pool" in found.remedy


def test_probing_makes_no_node(tmp_path, misc):
    probe(str(tmp_path / "control"), str(misc))
    assert not (tmp_path / "control").exists()


def test_a_running_device_mapper_without_a_node_is_not_called_absent(tmp_path, misc):
    misc.write_text("236 device-mapper\n")
    found = probe(str(tmp_path / "control"), str(misc))
    assert found.presence is Presence.NOT_PERMITTED
    assert "container" in found.reason


def test_a_node_without_a_driver_means_absent(misc, monkeypatch):
    refuse(monkeypatch, errno.ENODEV)
    assert probe("/dev/null", str(misc)).presence is Presence.ABSENT


def test_a_node_we_may_not_open_means_not_permitted(misc, monkeypatch):
    refuse(monkeypatch, errno.EACCES)
    found = probe("/dev/null", str(misc))
    assert found.presence is Presence.NOT_PERMITTED
    assert "root" in found.reason


def test_a_node_that_refuses_to_tell_its_version_means_not_permitted(misc, monkeypatch):
    def refuse_version(*_):
        raise PermissionError(errno.EACCES, "refused")

    monkeypatch.setattr(ioctl.fcntl, "ioctl", refuse_version)
    found = probe("/dev/null", str(misc))
    assert found.presence is Presence.NOT_PERMITTED
    assert "CAP_SYS_ADMIN" in found.reason


def test_a_node_of_something_else_means_absent(misc):
    assert probe("/dev/null", str(misc)).presence is Presence.ABSENT


def test_another_operating_system_has_none(tmp_path):
    found = probe(str(tmp_path / "control"), platform="darwin")
    assert (found.presence, found.reason) == (Presence.ABSENT, "darwin has no device-mapper")


def refuse(monkeypatch, number):
    def refuse_open(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(ioctl.os, "open", refuse_open)
