"""What becomes of a pool when the disk under its data or its metadata gives errors only (an ``error`` target)."""

import errno

import pytest

from dmtui.machine.errors import InvalidError, MachineError, PoolRefusesError
from dmtui.thinpool.table import PoolTable, Target
from tests.machine.contract.conftest import BLOCK, MIB

SIZES = {"data": 64 * MIB, "metadata": 4 * MIB}
WHOLE = "0 131072 thin-pool 0 112/1024 3/1024 - rw discard_passdown queue_if_no_space - 256 "


class Stack:
    """A pool over two linear devices, which can be broken, with a thin device of three blocks."""

    def __init__(self, rig, io):
        self.rig, self.mapper, self.io = rig, rig.mapper, io
        self.lines = {}
        for what, size_bytes in SIZES.items():
            loop = rig.loop(what, size_bytes, autoclear=False)
            self.lines[what] = Target(0, size_bytes // 512, "linear", f"{loop.dev} 0")
            self.mapper.create(f"dmtui-test-{what}", [self.lines[what]])
        self.make()
        self.thin = rig.thin(1)
        for block in range(3):
            self.write(block)
        assert rig.committed("dmtui-test-pool") == WHOLE

    @property
    def table(self) -> Target:
        metadata, data = (str(self.mapper.info(f"dmtui-test-{what}").dev) for what in ("metadata", "data"))
        return PoolTable(metadata, data, BLOCK // 512, 0).target(SIZES["data"] // 512)

    def make(self) -> None:
        self.mapper.create("dmtui-test-pool", [self.table])

    def replace(self, what: str, target: Target) -> None:
        name = f"dmtui-test-{what}"
        self.mapper.load(name, [target])
        self.mapper.suspend(name, flush=False, lock_filesystem=False)
        self.mapper.resume(name)

    def break_disk(self, what: str) -> None:
        self.replace(what, Target(0, SIZES[what] // 512, "error", ""))

    def mend(self, what: str) -> None:
        self.replace(what, self.lines[what])

    def write(self, block: int) -> None:
        self.io.write(self.thin, block * BLOCK, BLOCK)


@pytest.fixture
def stack(rig, io):
    return Stack(rig, io)


def fails_with(number: int, act) -> bool:
    with pytest.raises(MachineError) as caught:
        act()
    return caught.value.errno == number


def test_the_query_that_finds_metadata_unreadable_says_error_and_every_other_fail(stack):
    stack.break_disk("metadata")
    assert stack.rig.committed("dmtui-test-pool") == "0 131072 thin-pool Error"
    assert stack.rig.committed("dmtui-test-pool") == "0 131072 thin-pool Fail"
    assert stack.rig.committed(stack.thin) == "0 32768 thin Fail"
    assert stack.mapper.info("dmtui-test-pool").event_nr == 1


def test_a_failed_pool_serves_nothing_and_no_mending_helps_it(stack):
    stack.break_disk("metadata")
    stack.rig.committed("dmtui-test-pool")
    stack.mend("metadata")
    assert fails_with(errno.EIO, lambda: stack.write(0))
    with pytest.raises(PoolRefusesError):
        stack.mapper.message("dmtui-test-pool", "create_thin 2")
    with pytest.raises(InvalidError):
        stack.mapper.load("dmtui-test-pool", [stack.table])
    stack.mapper.suspend("dmtui-test-pool")
    stack.mapper.resume("dmtui-test-pool")
    assert stack.rig.committed("dmtui-test-pool") == "0 131072 thin-pool Fail"


def test_activated_anew_over_a_mended_disk_it_is_whole(stack):
    stack.break_disk("metadata")
    stack.rig.committed("dmtui-test-pool")
    stack.mapper.remove(stack.thin)
    stack.mapper.remove("dmtui-test-pool")
    stack.mend("metadata")
    stack.make()
    assert stack.rig.committed("dmtui-test-pool") == WHOLE


def test_metadata_that_cannot_be_read_make_no_pool(stack):
    stack.mapper.remove(stack.thin)
    stack.mapper.remove("dmtui-test-pool")
    stack.break_disk("metadata")
    assert fails_with(errno.EIO, stack.make)
    assert "dmtui-test-pool" not in stack.rig.names()


def test_data_that_cannot_be_written_fail_the_write_and_leave_the_pool_as_it_is(stack):
    stack.break_disk("data")
    assert fails_with(errno.EIO, lambda: stack.write(0))
    stack.mapper.message("dmtui-test-pool", "set_transaction_id 0 7")
    assert stack.rig.committed("dmtui-test-pool") == WHOLE.replace("thin-pool 0", "thin-pool 7")
    stack.mend("data")
    stack.write(0)
