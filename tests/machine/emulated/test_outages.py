"""Disks that give errors, devices that hang, udev that lags: until they are mended, and what the kernel does then."""

import errno
import threading

import pytest

from dmtui.cli import faults
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.emulated.outages import DISK_KINDS, HANG, KINDS, Outage
from dmtui.machine.errors import DeviceMissingError, FileMissingError, InvalidError, MachineError, TimedOutError
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import Bench

BROKEN = "0 131072 thin-pool 0 112/1024 3/1024 - ro discard_passdown queue_if_no_space needs_check 256 "


@pytest.fixture
def used(bench):
    """A pool whose thin has three blocks, committed."""
    bench.thin(1)
    bench.write("t1", 0, 1, 2)
    bench.machine.flush("t1")
    return bench


@pytest.fixture
def hurried(tmp_path):
    """A pool with a thin on a machine that waits for next to nothing."""
    machine = EmulatedMachine.open(tmp_path / "machine", 0.05)
    bench = Bench(machine)
    bench.thin(1)
    yield bench
    machine.close()


def number_of(act) -> int:
    with pytest.raises(MachineError) as caught:
        act()
    return caught.value.errno


def test_metadata_that_cannot_be_written_make_the_pool_read_only_until_checked_at_the_next_commit(used):
    used.machine.outages.break_disk("metadata-write-error", "p")
    assert used.line(flush=False) == BROKEN.replace("ro", "rw").replace("needs_check", "-")
    assert (used.line(), used.events) == (BROKEN, 1)
    used.write("t1", 0)
    used.machine.flush("t1")
    assert number_of(lambda: used.write("t1", 9)) == errno.EIO
    assert number_of(lambda: used.msg("create_thin 2")) == errno.EOPNOTSUPP
    used.mapper.create("again", [Target(0, 1280, "thin", "254:0 1")])
    used.machine.outages.end("metadata-write-error")
    used.reload()
    assert (used.line(), used.events) == (BROKEN, 1)


def test_a_write_and_a_message_are_answered_before_their_commit_fails_and_are_lost(used):
    used.machine.outages.break_disk("metadata-write-error", "p")
    used.write("t1", 9)
    assert (used.line(), used.line("t1")) == (BROKEN, "0 128000 thin 512 383")
    used.mapper.remove("t1")
    used.mapper.remove("p")
    used.machine.outages.end("metadata-write-error")
    used.machine.faults.clear_needs_check("/b/meta")
    used.mapper.create("p", [used.table()])
    assert used.figures == "3/1024 rw queue_if_no_space"
    used.machine.outages.break_disk("metadata-write-error", "p")
    used.msg("create_thin 2")
    assert used.line() == BROKEN
    assert [thin.thin_id for thin in thins(used)] == [1]


def thins(bench):
    bench.mapper.remove("p")
    return bench.machine.thin_tools.list_thins("/b/meta", snapshot=False)


def test_metadata_that_cannot_be_read_make_the_pool_fail_and_the_query_that_finds_out_says_error(used):
    used.machine.outages.break_disk("metadata-error", "p")
    assert used.line() == "0 131072 thin-pool Error"
    assert (used.line(), used.line("t1"), used.events) == ("0 131072 thin-pool Fail", "0 128000 thin Fail", 1)
    assert number_of(lambda: used.write("t1", 0)) == errno.EIO
    used.machine.outages.end("metadata-error", "p")
    assert used.line() == "0 131072 thin-pool Fail"
    used.mapper.remove("t1")
    used.mapper.remove("p")
    used.mapper.create("p", [used.table()])
    assert used.figures == "3/1024 rw queue_if_no_space"


def test_metadata_that_cannot_be_read_are_no_pool_and_not_sound(used):
    used.mapper.remove("t1")
    used.mapper.remove("p")
    used.machine.outages.break_disk("metadata-error", "/b/meta")
    assert number_of(lambda: used.mapper.create("p", [used.table()])) == errno.EIO
    assert not used.machine.thin_tools.check("/b/meta", snapshot=False).sound
    assert number_of(lambda: used.machine.thin_tools.list_thins("/b/meta", snapshot=False)) == errno.EIO
    used.machine.outages.end("metadata-error", "/b/meta")
    used.mapper.create("p", [used.table()])


def test_where_nothing_can_be_written_no_metadata_are_made_but_old_ones_are_taken(used):
    used.machine.files.make_sparse_file("/b/new", 4 << 20)
    loop = used.machine.loops.attach("/b/new", autoclear=False).path
    used.machine.outages.break_disk("metadata-write-error", "/b/new")
    fresh = Target(0, 131072, "thin-pool", f"{loop} {used.data} 128 0")
    assert number_of(lambda: used.mapper.create("q", [fresh])) == errno.EIO
    used.mapper.remove("t1")
    used.mapper.remove("p")
    used.machine.outages.break_disk("metadata-write-error", "/b/meta")
    used.mapper.create("p", [used.table()])
    assert used.line(flush=False).split()[7] == "rw"


def test_data_that_cannot_be_written_fail_the_write_at_once_and_the_pool_at_its_next_commit(used):
    used.machine.outages.break_disk("data-error", "p")
    for block in (0, 9):
        assert number_of(lambda block=block: used.write("t1", block)) == errno.EIO
    assert used.line(flush=False).split()[7] == "rw"
    assert (used.line(), used.line("t1"), used.events) == (BROKEN, "0 128000 thin 384 383", 1)
    used.discard("t1", 0, 1)
    used.machine.outages.end("data-error")
    used.write("t1", 0)
    assert number_of(lambda: used.write("t1", 9)) == errno.EIO
    assert used.line() == BROKEN


def test_what_is_on_a_broken_disk_cannot_be_read_back(used):
    filesystems = used.machine.filesystems
    filesystems.make("/dev/mapper/t1", "ext4", [])
    used.machine.files.make_sparse_file("/b/disk", 64 << 20)
    disk = used.machine.loops.attach("/b/disk", autoclear=False).path
    used.machine.outages.break_disk("data-error", "p")
    used.machine.outages.break_disk("data-error", "/b/disk")
    for ask in (
        lambda: filesystems.probe("/dev/mapper/t1"),
        lambda: filesystems.mount("/dev/mapper/t1", "/b", "ext4", []),
        lambda: filesystems.make(disk, "ext4", []),
    ):
        assert number_of(ask) == errno.EIO
    used.machine.outages.end("data-error")
    assert filesystems.probe("/dev/mapper/t1").kind == "ext4"


def test_an_error_target_under_the_data_fails_writes_but_no_commit_for_it_takes_no_notice_of_a_flush(bench):
    mapper = bench.mapper
    bench.machine.files.make_sparse_file("/b/more", 64 << 20)
    loop = bench.machine.loops.attach("/b/more", autoclear=False)
    bench.machine.files.make_sparse_file("/b/other", 4 << 20)
    meta = bench.machine.loops.attach("/b/other", autoclear=False)
    mapper.create("below", [Target(0, 131072, "linear", f"{loop.dev} 0")])
    mapper.create("q", [Target(0, 131072, "thin-pool", f"{meta.dev} {mapper.info('below').dev} 128 0")])
    mapper.message("q", "create_thin 1")
    mapper.create("u1", [Target(0, 131072, "thin", f"{mapper.info('q').dev} 1")])
    bench.write("u1", 0)
    mapper.load("below", [Target(0, 131072, "error", "")])
    mapper.resume("below")
    for block in (0, 9):
        assert number_of(lambda block=block: bench.write("u1", block)) == errno.EIO
    mapper.message("q", "create_thin 2")
    assert bench.line("q").split()[7:] == ["rw", "discard_passdown", "queue_if_no_space", "-", "256"]


def test_a_disk_stays_broken_through_a_reboot_and_under_another_loop_device(used):
    used.machine.outages.break_disk("metadata-write-error", "p")
    used.machine.reboot()
    used.machine.files.make_sparse_file("/b/first", 1 << 20)
    for path in ("/b/first", "/b/data", "/b/meta"):
        used.machine.loops.attach(path, autoclear=False)
    used.data, used.meta = "/dev/loop1", "/dev/loop2"
    used.mapper.create("p", [used.table()])
    assert used.line().split()[7] == "rw"  # nobody has used it yet
    used.msg("create_thin 2")
    assert used.line() == BROKEN


def test_an_error_target_beneath_is_a_broken_disk(bench):
    mapper = bench.mapper
    bench.machine.files.make_sparse_file("/b/more", 4 << 20)
    loop = bench.machine.loops.attach("/b/more", autoclear=False)
    mapper.create("below", [Target(0, 8192, "linear", f"{loop.dev} 0")])
    table = f"{mapper.info('below').dev} {bench.data} 128 0"
    mapper.create("q", [Target(0, 65536, "thin-pool", table)])
    mapper.message("q", "create_thin 1")
    mapper.load("below", [Target(0, 8192, "error", "")])
    mapper.resume("below")
    assert str(mapper.status_flush("q").targets[0]) == "0 65536 thin-pool Error"


def test_a_device_that_hangs_is_given_up_after_the_deadline_and_nothing_was_done(hurried):
    mapper, before = hurried.mapper, hurried.line()
    hurried.machine.outages.hang("p")
    asked = {
        "status": lambda: mapper.status("p"),
        "flush": lambda: mapper.status_flush("p"),
        "message": lambda: mapper.message("p", "create_thin 2"),
        "load": lambda: mapper.load("p", [hurried.table()]),
        "suspend": lambda: mapper.suspend("p"),
        "resume": lambda: mapper.resume("p"),
        "remove": lambda: mapper.remove("t1"),
        "write": lambda: hurried.write("t1", 0),
        "fsync": lambda: hurried.machine.flush("t1"),
        "discard": lambda: hurried.discard("t1", 0, 1),
        "thin": lambda: hurried.activate(1),
        "by path": lambda: mapper.create("again", [Target(0, 128, "thin", "/dev/mapper/p 1")]),
        "by number": lambda: mapper.create("again", [Target(0, 128, "thin", "254:0 1")]),
        "mkfs": lambda: hurried.machine.filesystems.make("/dev/mapper/t1", "ext4", []),
        "probe": lambda: hurried.machine.filesystems.probe("/dev/mapper/t1"),
        "discard all": lambda: hurried.machine.filesystems.discard("/dev/mapper/t1"),
    }
    for what, ask in asked.items():
        assert number_of(ask) == errno.ETIMEDOUT, what
    hurried.machine.outages.end(HANG, "p")
    assert hurried.line() == before
    assert [entry.name for entry in mapper.list_devices()] == ["p", "t1"]


def test_what_does_not_stand_on_it_does_not_hang_and_its_state_can_be_read(hurried):
    hurried.machine.outages.hang("t1")
    assert hurried.mapper.status("p").targets
    assert hurried.mapper.table("t1").targets
    assert hurried.mapper.info("t1").name == "t1"
    with pytest.raises(TimedOutError, match="the device hangs"):
        hurried.mapper.status("t1")


def test_who_waits_goes_on_when_the_device_is_mended(bench):
    bench.thin(1)
    bench.machine.outages.hang("t1")
    lines = []
    waiting = threading.Thread(target=lambda: lines.append(bench.line("t1")))
    waiting.start()
    bench.msg("create_thin 2")  # others get through meanwhile
    assert lines == []
    bench.machine.outages.end(HANG)
    waiting.join(30)
    assert lines == ["0 128000 thin 0 -"]


def test_after_a_reboot_nothing_hangs(bench):
    bench.machine.outages.hang("p")
    bench.machine.reboot()
    assert bench.machine.outages.list_active() == ()


def test_udev_that_takes_longer_than_we_wait_is_told_and_a_creation_is_undone(hurried):
    hurried.machine.outages.lag_udev(3600)
    hurried.msg("create_thin 2")
    with pytest.raises(TimedOutError, match="creating it worked, but udev has not answered"):
        hurried.activate(2)
    assert [entry.name for entry in hurried.mapper.list_devices()] == ["p", "t1"]
    hurried.mapper.suspend("t1")
    with pytest.raises(TimedOutError, match="resuming it worked"):
        hurried.mapper.resume("t1")
    assert not hurried.mapper.info("t1").suspended
    with pytest.raises(TimedOutError, match="removing it worked"):
        hurried.mapper.remove("t1")
    with pytest.raises(DeviceMissingError):
        hurried.mapper.info("t1")


def test_udev_that_is_slow_but_in_time_only_takes_its_time(hurried):
    hurried.machine.outages.lag_udev(0.001)
    hurried.mapper.remove("t1")
    hurried.activate(1)
    assert hurried.machine.outages.list_active() == (Outage("udev-lag", "", 0.001),)


def test_they_are_listed_switched_on_twice_and_off_once(bench):
    outages = bench.machine.outages
    for _ in range(2):
        outages.break_disk("data-error", "p")
        outages.hang("p")
    assert [outage.text for outage in outages.list_active()] == [
        "data-error: /b/data (reads, writes and flushes give errors)",
        "hang: p (nothing that is asked of it comes back)",
    ]
    outages.end("data-error", "p")
    outages.end("hang", "p")
    assert outages.list_active() == ()
    for kind, subject in (("hang", ""), ("data-error", "p"), ("udev-lag", "")):
        with pytest.raises(MachineError, match="is not on"):
            outages.end(kind, subject)


def test_what_cannot_be_broken_is_said_to_be(bench):
    bench.thin(1)
    outages = bench.machine.outages
    with pytest.raises(DeviceMissingError):
        outages.hang("nothing")
    with pytest.raises(DeviceMissingError):
        outages.break_disk("data-error", "nothing")
    with pytest.raises(FileMissingError):
        outages.break_disk("data-error", "/nothing")
    with pytest.raises(InvalidError):
        outages.break_disk("metadata-error", "t1")
    for seconds in (0, -1, float("inf"), float("nan")):
        with pytest.raises(BadUsageError):
            outages.lag_udev(seconds)


def test_the_command_knows_the_kinds_that_there_are():
    assert faults.LASTING == KINDS
    assert set(DISK_KINDS) < set(KINDS)
    assert all(f"\n  {kind} " in faults.HELP for kind in faults.KINDS)
