"""Mount options in words, and the lines of mountinfo."""

import pytest

from dmtui.machine.errors import FileMissingError, InvalidError, MachineError, TimedOutError
from dmtui.machine.filesystems import Mount
from dmtui.machine.kernel import mounting
from dmtui.machine.kernel.filesystems import KernelFilesystems
from dmtui.machine.kernel.mounting import parse_mounts, split_options
from dmtui.machine.kernel.programs import KernelPrograms
from dmtui.thinpool.devno import DeviceNumber

LINES = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 254:3 / /var/lib/docker/devicemapper/mnt/3f\0402a ro,noatime shared:5 master:2 - xfs /dev/mapper/x rw,noquota
25 22 254:4 /sub /a\134b\011c\012d rw - fuse.my\040fs x rw
26 22 7:0 / /x - y rw - squashfs /dev/loop0 ro
half a line
""".strip()


@pytest.fixture
def filesystems(tmp_path):
    (tmp_path / "self").mkdir()
    machine = KernelFilesystems(KernelPrograms(), lambda name: 1, proc=str(tmp_path), sysfs=str(tmp_path))
    yield machine
    machine.close()


@pytest.mark.parametrize(
    ("options", "flags", "rest"),
    [
        ([], 0, ""),
        (["rw", "defaults"], 0, ""),
        (["ro"], 1, ""),
        (["nosuid", "nodev", "noexec"], 2 | 4 | 8, ""),
        (["noatime", "nodiratime"], 1024 | 2048, ""),
        (["noatime", "atime"], 0, ""),
        (["ro", "rw"], 0, ""),
        (["rw", "ro"], 1, ""),
        (["nouuid", "ro", "nodiscard"], 1, "nouuid,nodiscard"),
        (["nouuid,noatime"], 1024, "nouuid"),
        (["nofail", "_netdev", "auto", "x-systemd.device-timeout=5", "discard"], 0, "discard"),
        (
            ['context="system_u:object_r:container_file_t:s0:c1,ro"'],
            0,
            'context="system_u:object_r:container_file_t:s0:c1,ro"',
        ),
        (['ro,context="s0:c1,c2",noatime'], 1 | 1024, 'context="s0:c1,c2"'),
        (["", ",,"], 0, ""),
    ],
)
def test_options_are_flags_or_the_file_system_s_own(options, flags, rest):
    assert split_options(options) == (flags, rest)


def test_only_mounts_of_block_devices_are_told():
    assert [mount.mount_id for mount in parse_mounts(LINES.splitlines())] == [22, 24, 25]


def test_a_mount_has_the_options_of_both_once():
    mount = parse_mounts(LINES.splitlines())[1]
    assert mount == Mount(
        24,
        "/var/lib/docker/devicemapper/mnt/3f 2a",
        DeviceNumber(254, 3),
        "xfs",
        ("ro", "noatime", "rw", "noquota"),
    )


def test_odd_characters_in_names_come_back():
    mount = parse_mounts(LINES.splitlines())[2]
    assert (mount.directory, mount.filesystem) == ("/a\\b\tc\nd", "fuse.my fs")


def test_names_that_are_no_text_come_back_as_the_system_has_them(filesystems, tmp_path):
    (tmp_path / "self/mountinfo").write_bytes(b"22 1 8:1 / /\xff\xe2\x80\xa8 rw - ext4 /dev/sda1 rw\n")
    (mount,) = filesystems.mounts()
    assert mount.directory.encode("utf-8", "surrogateescape") == b"/\xff\xe2\x80\xa8"


def test_the_mounts_of_this_process_can_be_read():
    machine = KernelFilesystems(KernelPrograms(), lambda name: 1)
    assert all(mount.dev.major for mount in machine.mounts())


def test_a_system_without_the_table_is_told(filesystems):
    with pytest.raises(FileMissingError):
        filesystems.mounts()


def test_a_mount_that_hangs_is_given_up_and_does_not_keep_others_waiting(filesystems, tmp_path, monkeypatch):
    import threading

    release = threading.Event()
    monkeypatch.setattr(mounting, "mount", lambda *_: release.wait(20))
    filesystems.deadline_seconds = 0.2
    with pytest.raises(TimedOutError, match=r"mounting it at /m has not ended after 0.2 s"):
        filesystems.mount("/dev/x", "/m", "ext4", [])
    filesystems.deadline_seconds = 5.0
    assert filesystems.names_inside(str(tmp_path)) == ("self",)
    release.set()


def test_a_mount_that_hangs_takes_nothing_from_one_beside_it(filesystems, tmp_path, monkeypatch):
    import threading
    from concurrent.futures import ThreadPoolExecutor

    begun, release = threading.Event(), threading.Event()

    def hang(*_):
        begun.set()
        release.wait(20)

    monkeypatch.setattr(mounting, "mount", hang)
    with ThreadPoolExecutor(1) as other:
        hanging = other.submit(filesystems.mount, "/dev/x", "/m", "ext4", [])
        assert begun.wait(5)
        assert filesystems.names_inside(str(tmp_path)) == ("self",)
        assert not hanging.done()
        release.set()


def test_a_refused_mount_ends_with_the_kernel_s_last_words(filesystems, tmp_path, monkeypatch):
    monkeypatch.setattr(mounting, "_mount", lambda *_: 1)
    monkeypatch.setattr(mounting.ctypes, "get_errno", lambda: 22)
    monkeypatch.setattr(mounting, "kernel_log_tail", lambda: "XFS (dm-3): Invalid superblock magic number")
    with pytest.raises(InvalidError) as refused:
        filesystems.mount(str(tmp_path), str(tmp_path), "xfs", [])
    assert str(refused.value).endswith(
        "(EINVAL); the kernel's log ends with: XFS (dm-3): Invalid superblock magic number"
    )


def test_the_log_s_tail_is_one_short_line_without_levels(monkeypatch):
    lines = b"".join(b"<%d>[    1.%06d] line %d\n" % (number % 8, number, number) for number in range(100))

    def klogctl(_, buffer, size):
        buffer.value = lines
        return len(lines)

    monkeypatch.setattr(mounting, "_klogctl", klogctl)
    tail = mounting.kernel_log_tail()
    assert len(tail) <= 256
    assert tail.endswith("[ 1.000098] line 98 [ 1.000099] line 99")
    assert "<" not in tail


def test_a_log_that_may_not_be_read_adds_nothing(monkeypatch):
    monkeypatch.setattr(mounting, "_klogctl", lambda *_: -1)
    assert mounting.kernel_log_tail() == ""


@pytest.mark.parametrize("kind", ["", "../x", "ext4 -F", "EXT4"])
def test_a_kind_that_is_no_name_is_refused(filesystems, tmp_path, kind):
    with pytest.raises(InvalidError):
        filesystems.make(str(tmp_path), kind, [])
    with pytest.raises(InvalidError):
        filesystems.mount(str(tmp_path), str(tmp_path), kind, [])


def test_a_file_is_no_device(filesystems, tmp_path):
    (tmp_path / "f").touch()
    for use in (
        lambda: filesystems.make(str(tmp_path / "f"), "ext4", []),
        lambda: filesystems.discard(str(tmp_path / "f")),
        lambda: filesystems.limit_retries(str(tmp_path / "f"), 0),
    ):
        with pytest.raises(MachineError, match="ENOTBLK"):
            use()


def test_a_kind_is_unusable_without_its_program(tmp_path):
    machine = KernelFilesystems(KernelPrograms("/nowhere"), lambda name: 1)
    assert machine.why_unusable("xfs") == "mkfs.xfs is not in PATH"


def test_a_kind_is_unusable_without_its_module(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr(mounting, "load_kind", tried.append)
    (tmp_path / "mkfs.xfs").write_text("#!/bin/sh\n")
    (tmp_path / "mkfs.xfs").chmod(0o755)
    (tmp_path / "filesystems").write_text("nodev\tproc\n\text4\n")
    machine = KernelFilesystems(KernelPrograms(str(tmp_path)), lambda name: 1, proc=str(tmp_path))
    assert "no xfs" in machine.why_unusable("xfs")
    assert tried == ["xfs"]
    (tmp_path / "filesystems").write_text("\txfs\n")
    assert machine.why_unusable("xfs") == ""
    assert tried == ["xfs"]
