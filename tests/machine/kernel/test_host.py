"""Files, loop devices and the library of a host, as far as any Linux without device-mapper shows them."""

import stat
import sys

import pytest

from dmtui.machine.errors import ExistsError, MachineError, NoDeviceMapperError
from dmtui.machine.kernel.files import KernelFiles
from dmtui.machine.kernel.libdevmapper import Library
from dmtui.machine.kernel.loops import KernelLoops
from dmtui.thinpool.devno import DeviceNumber


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_sparse_file_is_private(tmp_path):
    KernelFiles().make_sparse_file(str(tmp_path / "f"), 1 << 30)
    assert mode(tmp_path / "f") == 0o600
    assert (tmp_path / "f").stat().st_blocks == 0


def test_a_sparse_file_that_cannot_have_its_size_leaves_nothing(tmp_path):
    with pytest.raises(MachineError):
        KernelFiles().make_sparse_file(str(tmp_path / "f"), 1 << 62)
    assert not (tmp_path / "f").exists()


def test_an_existing_file_is_told_as_one(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(ExistsError):
        KernelFiles().make_sparse_file(str(tmp_path / "f"), 1)


def test_directories_are_private_all_the_way(tmp_path):
    KernelFiles().make_directory(str(tmp_path / "a" / "b"))
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(MachineError, match="ENOTDIR"):
        KernelFiles().make_directory(str(tmp_path / "f"))


def test_a_mapped_device_is_named_by_its_name_not_its_number(tmp_path):
    (tmp_path / "254:3" / "dm").mkdir(parents=True)
    (tmp_path / "254:3" / "dm" / "name").write_text("docker-8:1-77-pool\n")
    (tmp_path / "254:3" / "uevent").write_text("MAJOR=254\nMINOR=3\nDEVNAME=dm-3\n")
    assert KernelFiles(str(tmp_path)).device_path(DeviceNumber(254, 3)) == "/dev/mapper/docker-8:1-77-pool"


def test_another_device_is_named_by_its_node(tmp_path):
    (tmp_path / "8:16").mkdir()
    (tmp_path / "8:16" / "uevent").write_text("MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVTYPE=disk\n")
    assert KernelFiles(str(tmp_path)).device_path(DeviceNumber(8, 16)) == "/dev/sdb"


def test_a_system_without_loop_devices_has_none_bound(tmp_path):
    assert KernelLoops(str(tmp_path / "none")).list_bound() == ()


def test_free_loop_devices_are_not_listed(tmp_path):
    for name in ("loop0", "loop7", "sda"):
        (tmp_path / name).mkdir()
    assert KernelLoops(str(tmp_path)).list_bound() == ()


def test_a_missing_library_is_told_with_the_package_to_install():
    with pytest.raises(NoDeviceMapperError, match="install libdevmapper"):
        Library(("libdmtui-none.so.1",))


@pytest.mark.skipif(sys.platform != "linux", reason="the name of the C library is Linux's")
def test_a_library_that_is_another_one_is_told_as_too_old():
    with pytest.raises(NoDeviceMapperError, match="too old"):
        Library(("libc.so.6",))
