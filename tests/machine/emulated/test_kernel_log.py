"""The emulated kernel's log: the kernel's words at the moments at which a kernel says them (as captured from 6.1)."""

import pytest

from dmtui.machine.emulated import EmulatedMachine, kernellog
from dmtui.machine.errors import MachineError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import Bench


def said(bench, act, refused=False) -> list[str]:
    """What the log says of something that is done."""
    before = len(bench.machine.kernel_log.read())
    if refused:
        with pytest.raises(MachineError):
            act()
    else:
        act()
    return [line.text.removeprefix("device-mapper: ") for line in bench.machine.kernel_log.read()[before:]]


def write_all(bench, *blocks):
    for block in blocks:
        try:
            bench.write("t1", block)
        except MachineError:
            return


def test_a_pool_that_fills_up_says_so_at_its_low_water_mark_and_when_it_is_full(make_bench):
    bench = make_bench(blocks=8, words="2 0")
    bench.thin(1)
    assert said(bench, lambda: write_all(bench, *range(9))) == [
        "thin: 254:0: reached low water mark for data device: sending event.",
        "thin: 254:0: switching pool to out-of-data-space (queue IO) mode",
    ]
    bench.grow_file("/b/data", bench.data, 16 * 65536)
    assert said(bench, lambda: bench.reload("2 0", 16)) == [
        "thin: 254:0: switching pool to write mode",
        "thin: 254:0: growing the data device from 8 to 16 blocks",
    ]


def test_a_pool_that_does_not_queue_says_so(make_bench):
    bench = make_bench(blocks=8, words="0 1 error_if_no_space")
    bench.thin(1)
    assert said(bench, lambda: write_all(bench, *range(9)))[-1] == (
        "thin: 254:0: switching pool to out-of-data-space (error IO) mode"
    )


def test_metadata_that_run_out_are_told_before_and_when_they_have(make_bench):
    bench = make_bench(metadata=1 << 20)
    lines = said(bench, lambda: [bench.msg(f"create_thin {number}") for number in range(220)])
    assert lines[0] == "thin: 254:0: reached low water mark for metadata device: sending event."
    assert lines[-2:] == ["thin: No free metadata blocks", "thin: 254:0: switching pool to read-only mode"]
    assert said(bench, lambda: bench.msg("create_thin 300"), refused=True) == [
        "thin: 254:0: unable to service pool target messages in READ_ONLY or FAIL mode"
    ]
    bench.grow_file("/b/meta", bench.meta, 2 << 20)
    bench.mapper.suspend("p")
    assert said(bench, lambda: bench.mapper.resume("p")) == [
        "thin: 254:0: growing the metadata device from 256 to 512 blocks",
        "thin: 254:0: switching pool to write mode",
    ]


def test_metadata_that_cannot_be_written(bench):
    bench.machine.outages.break_disk("metadata-write-error", "p")
    assert said(bench, lambda: bench.msg("create_thin 1")) == [
        "thin: 254:0: metadata operation 'dm_pool_commit_metadata' failed: error = -5",
        "thin: 254:0: aborting current metadata transaction",
        "thin: 254:0: switching pool to read-only mode",
    ]
    assert said(bench, bench.reload) == ["thin: 254:0: unable to switch pool to write mode until repaired."]


def test_metadata_that_cannot_be_read(bench):
    bench.machine.outages.break_disk("metadata-error", "p")
    assert said(bench, bench.line) == [
        "thin: 254:0: metadata operation 'dm_pool_commit_metadata' failed: error = -5",
        "thin: 254:0: aborting current metadata transaction",
        "thin: 254:0: failed to abort metadata transaction",
        "thin: 254:0: switching pool to fail mode",
        "thin: 254:0: failed to set 'needs_check' flag in metadata",
        "thin: 254:0: dm_pool_get_metadata_transaction_id returned -22",
    ]
    assert said(bench, bench.line) == []


def test_data_that_cannot_be_flushed(bench):
    bench.machine.outages.break_disk("data-error", "p")
    assert said(bench, bench.line) == [
        "thin metadata: pre-commit callback failed",
        "thin: 254:0: metadata operation 'dm_pool_commit_metadata' failed: error = -5",
        "thin: 254:0: aborting current metadata transaction",
        "thin: 254:0: switching pool to read-only mode",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("create_thin 1", ["thin: Creation of new thinly-provisioned device with id 1 failed."]),
        ("create_snap 2 9", ["thin: Creation of new snapshot 2 of device 9 failed."]),
        ("delete 1", ["thin: Deletion of thin device 1 failed."]),
        ("create_thin x", ["thin: Message received with invalid device id: x"]),
        ("create_thin", ["thin: Message received with 1 arguments instead of 2."]),
        ("bogus", ["thin: Unrecognised thin pool target message received: bogus"]),
        ("@bogus", ["ioctl: Unsupported message sent to DM core: @bogus"]),
        ("", ["ioctl: Empty message received."]),
        (
            "set_transaction_id 1 2",
            ["thin metadata: mismatched transaction id", "thin: Failed to change transaction id from 1 to 2."],
        ),
        (
            "release_metadata_snap",
            [
                "thin metadata: No pool metadata snapshot found: nothing to release.",
                "thin: release_metadata_snap message failed.",
            ],
        ),
    ],
)
def test_a_message_that_is_refused(bench, text, lines):
    bench.thin(1)
    assert said(bench, lambda: bench.msg(text), refused=True) == lines


ADDING = "ioctl: error adding target to table"


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        ((0, 128, "thin", "254:0 7"), ["table: 254:1: thin: Couldn't open thin internal device (-ENODATA)", ADDING]),
        ((0, 128, "thin", "254:0 x"), ["table: 254:1: thin: Invalid device id (-EINVAL)", ADDING]),
        ((0, 128, "thin", "7:0 1"), ["table: 254:1: thin: Couldn't get pool mapped device (-EINVAL)", ADDING]),
        (
            (0, 128, "thin-pool", "7:1 7:0 127 0"),
            ["table: 254:1: thin-pool: Invalid block size (-EINVAL)", ADDING],
        ),
        ((0, 0, "thin", "254:0 7"), ["table: 254:1: zero-length target", ADDING]),
        ((0, 128, "bogus", ""), ["table: 254:1: bogus: unknown target type", ADDING]),
        (
            (0, 1 << 40, "linear", "7:0 0"),
            [
                "table: 254:1: loop0 too small for target: start=0, len=1099511627776, dev_size=131072",
                "core: Cannot calculate initial queue limits",
                "ioctl: unable to set up device queue for new table.",
            ],
        ),
    ],
)
def test_a_table_that_is_refused_leaves_its_reason_though_nothing_else_is_left_of_it(bench, target, lines):
    assert said(bench, lambda: bench.mapper.create("q", [Target(*target)]), refused=True) == lines
    assert [entry.name for entry in bench.mapper.list_devices()] == ["p"]


def test_a_pool_s_table_that_cannot_be_made_live(bench):
    bench.mapper.load("p", [bench.table(blocks=512)])
    assert said(bench, lambda: bench.mapper.resume("p"), refused=True) == [
        "thin: 254:0: pool target (512 blocks) too small: expected 1024",
        "table: 254:0: thin-pool: preresume failed, error = -22",
    ]
    assert said(bench, lambda: bench.mapper.load("p", [Target(0, 128, "linear", "7:0 0")]), refused=True) == [
        "ioctl: can't replace immutable target type thin-pool"
    ]


def test_loop_devices_and_file_systems_have_their_say(bench):
    bench.thin(1)
    bench.machine.files.make_sparse_file("/b/more", 1 << 20)
    assert said(bench, lambda: bench.machine.loops.attach("/b/more", autoclear=False)) == [
        "loop2: detected capacity change from 0 to 2048"
    ]
    assert said(bench, lambda: bench.grow_file("/b/more", "/dev/loop2", 2 << 20)) == [
        "loop2: detected capacity change from 2048 to 4096"
    ]
    assert said(bench, lambda: bench.machine.loops.refresh_capacity("/dev/loop2")) == []
    filesystems = bench.machine.filesystems
    filesystems.make("/dev/mapper/t1", "ext4", [])
    for directory in ("/m", "/n"):
        bench.machine.files.make_directory(directory)
    assert said(bench, lambda: filesystems.mount("/dev/mapper/t1", "/m", "ext4", [])) == [
        "EXT4-fs (dm-1): mounted filesystem with ordered data mode. Quota mode: none."
    ]
    assert said(bench, lambda: filesystems.mount("/dev/mapper/t1", "/n", "ext4", [])) == []
    assert said(bench, lambda: filesystems.unmount("/n")) == []
    assert said(bench, lambda: filesystems.unmount("/m")) == ["EXT4-fs (dm-1): unmounting filesystem."]


def test_its_stamps_are_the_machine_s_seconds_since_it_booted(emulated):
    emulated.clock.freeze(1_000_000)
    emulated.reboot()
    emulated.clock.step(12.25)
    Bench(emulated)
    assert {line.seconds for line in emulated.kernel_log.read()} == {12.25}
    assert str(emulated.kernel_log.read()[0]) == "[   12.250000] loop0: detected capacity change from 0 to 131072"
    emulated.reboot()
    assert emulated.kernel_log.read() == ()


def test_it_is_bounded_and_the_oldest_lines_go(bench, monkeypatch):
    monkeypatch.setattr(kernellog, "KEPT_LINES", 5)
    for number in range(9):
        said(bench, lambda number=number: bench.msg(f"delete {number}"), refused=True)
    assert [line.text[-9] for line in bench.machine.kernel_log.read()] == list("45678")


def test_every_process_sees_it(bench, tmp_path):
    bench.mapper.remove("p")
    other = EmulatedMachine.open(tmp_path / "machine")
    assert other.kernel_log.read() == bench.machine.kernel_log.read()
    other.close()
