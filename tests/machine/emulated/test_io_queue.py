"""Input and output that waits: what lets it go on, how it ends, and what waits with it."""

import errno

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import DeviceBusyError, MachineError, NoSpaceError, TimedOutError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK


@pytest.fixture
def full(make_bench):
    """A pool of 8 blocks, all of them in one thin, whose clock stands still."""
    bench = make_bench(blocks=8)
    bench.machine.clock.freeze()
    bench.thin(1)
    bench.write("t1", *range(8))
    return bench


def submit(bench, *blocks_and_count, name="t1", kind="write") -> int:
    """The number of something that waits."""
    first, count = blocks_and_count or (0, 0)
    held = bench.machine.queue.submit(name, kind, (first * BLOCK, count * BLOCK))
    assert held is not None
    return held[0]


def extend(bench, blocks):
    bench.grow_file("/b/data", bench.data, blocks * BLOCK)
    bench.reload(blocks=blocks)


def left(bench) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """What waits, with its ranges in blocks."""
    return [
        (name, tuple((offset // BLOCK, length // BLOCK) for offset, length in io.ranges))
        for name, io in bench.machine.queue.list_waiting()
    ]


def test_a_write_waits_for_space_and_is_done_when_the_pool_is_extended(full):
    number = submit(full, 20, 3)
    assert (full.machine.queue.ended(number), left(full)) == (None, [("t1", ((20, 3),))])
    extend(full, 16)
    assert (full.machine.queue.ended(number), left(full)) == (0, [])
    assert full.figures == "11/16 rw queue_if_no_space"


def test_a_caller_that_does_not_wait_is_told_that_it_waits(full):
    with pytest.raises(NoSpaceError, match=r"would wait for space.*; it waits as number 1"):
        full.write("t1", 20)
    ((name, io),) = full.machine.queue.list_waiting()
    assert (name, io.kind, io.ranges, io.bytes_left) == ("t1", "write", ((20 * BLOCK, 512),), 512)


def test_what_found_a_block_does_not_wait_nor_is_it_written_again(make_bench):
    bench = make_bench(blocks=8)
    bench.thin(1)
    submit(bench, 0, 12)
    assert left(bench) == [("t1", ((8, 4),))]
    bench.msg("create_snap 2 1")
    extend(bench, 32)
    assert bench.figures == "12/32 rw queue_if_no_space"


def test_it_fails_when_the_wait_is_over(full):
    number = submit(full, 20, 1)
    full.machine.clock.step(59)
    assert full.machine.queue.ended(number) is None
    full.machine.clock.step(1)
    assert full.machine.queue.ended(number) == errno.ENOSPC
    assert full.mapper.info("t1").open_count == 0


def test_it_goes_on_as_far_as_the_space_goes_and_waits_again(full):
    number = submit(full, 20, 10)
    before = full.events
    extend(full, 10)
    assert left(full) == [("t1", ((22, 8),))]
    assert full.events == before + 3  # writable, low water, full
    full.machine.clock.step(60)
    assert full.machine.queue.ended(number) == errno.ENOSPC
    assert full.figures == "10/10 out_of_data_space error_if_no_space"


def test_a_deleted_thin_gives_it_space_at_once(make_bench):
    bench = make_bench(blocks=8)
    bench.thin(1)
    bench.thin(2)
    bench.write("t1", *range(4))
    bench.write("t2", *range(4))
    number = submit(bench, 20, 2)
    bench.mapper.remove("t2")
    bench.msg("delete 2")
    assert bench.machine.queue.ended(number) == 0
    assert bench.figures == "6/8 rw queue_if_no_space"


def test_a_discard_with_passdown_gives_it_space_with_the_next_commit(full):
    number = submit(full, 20, 1)
    full.discard("t1", 3, 1)
    assert full.machine.queue.ended(number) is None
    full.line()
    assert full.machine.queue.ended(number) == 0


def test_the_same_table_again_lets_it_try_and_wait_again(full):
    submit(full, 20, 1)
    before = full.events
    full.reload()
    assert left(full) == [("t1", ((20, 1),))]
    assert full.events == before + 3
    assert full.figures == "8/8 out_of_data_space queue_if_no_space"


@pytest.mark.parametrize(
    ("more", "waits"),
    [
        (1, [((21, 2),), ((40, 1),), ((60, 2),)]),
        (3, [((22, 1),), ((40, 1),), ((61, 1),)]),
        (4, [((22, 1),), ((40, 1),)]),
        (5, [((22, 1),)]),
    ],
)
def test_the_last_block_of_each_that_was_set_aside_comes_after_all_others(full, more, waits):
    for first, count in ((20, 3), (40, 1), (60, 2)):
        submit(full, first, count)
    extend(full, 8 + more)
    assert [ranges for _, ranges in left(full)] == waits


def test_what_rested_in_a_suspended_pool_is_taken_by_place(full):
    for first in (40, 60, 20):
        submit(full, first, 1)
    full.mapper.suspend("p")
    extend(full, 10)
    assert [ranges for _, ranges in left(full)] == [((60, 1),)]


def test_one_that_came_while_its_device_was_suspended_is_cut_as_it_is_tried(full):
    full.mapper.suspend("t1")
    submit(full, 20, 3)
    full.mapper.resume("t1")
    submit(full, 40, 1)
    extend(full, 10)
    assert [ranges for _, ranges in left(full)] == [((22, 1),), ((40, 1),)]
    extend(full, 11)
    assert [ranges for _, ranges in left(full)] == [((40, 1),)]


def test_another_policy_fails_it(full):
    number = submit(full, 20, 1)
    full.mapper.load("p", [full.table("0 1 error_if_no_space")])
    full.mapper.suspend("p")
    assert full.machine.queue.ended(number) is None
    full.mapper.resume("p")
    assert full.machine.queue.ended(number) == errno.ENOSPC


@pytest.mark.parametrize("trouble", ["fail_pool", "fail_metadata_operation"])
def test_a_pool_that_takes_no_changes_any_more_fails_it(full, trouble):
    number = submit(full, 20, 1)
    getattr(full.machine.faults, trouble)("p")
    assert full.machine.queue.ended(number) == errno.EIO


def test_a_flush_that_would_need_a_block_waits_too(make_bench):
    bench = make_bench(blocks=8)
    bench.machine.clock.freeze()
    bench.thin(1)
    bench.write("t1", *range(1, 9))
    submit(bench, 20, 1)
    numbers = [submit(bench, kind="flush") for _ in range(2)]
    assert bench.mapper.info("t1").open_count == 3
    bench.machine.clock.step(60)
    assert [bench.machine.queue.ended(number) for number in numbers] == [errno.ENOSPC] * 2


@pytest.mark.parametrize("name", ["t1", "p"], ids=["the device", "its pool"])
def test_what_is_given_to_a_suspended_device_is_done_in_order_at_the_resume(bench, name):
    bench.thin(1)
    bench.write("t1", 0, 1)
    bench.mapper.suspend(name)
    numbers = [submit(bench, 5, 2), submit(bench, 0, 6, kind="discard"), submit(bench, kind="flush")]
    with pytest.raises(TimedOutError, match="it waits as number 4"):
        bench.write("t1", 9)
    assert bench.line("t1") == "0 128000 thin 256 255"
    bench.mapper.resume(name)
    assert [bench.machine.queue.ended(number) for number in (*numbers, 4)] == [0] * 4
    assert bench.line("t1") == "0 128000 thin 256 1279"  # blocks 6 and 9


def test_it_keeps_its_device_open_which_is_removed_after_it(full):
    submit(full, 20, 1)
    with pytest.raises(DeviceBusyError):
        full.mapper.remove("t1")
    full.mapper.remove("t1", deferred=True)
    full.machine.clock.step(60)
    assert [entry.name for entry in full.mapper.list_devices()] == ["p"]


def test_a_thin_in_which_it_waits_is_suspended_without_a_flush_only(full):
    number = submit(full, 20, 1)
    with pytest.raises(TimedOutError, match="inside waits"):
        full.mapper.suspend("t1")
    assert not full.mapper.info("t1").suspended
    full.mapper.suspend("t1", flush=False)
    full.mapper.load("t1", [Target(0, 128000, "error", "")])
    assert full.machine.queue.ended(number) is None
    full.mapper.resume("t1")
    assert full.machine.queue.ended(number) == errno.EIO


def test_a_pool_in_whose_thins_it_waits_is_suspended_at_once(full):
    number = submit(full, 20, 1)
    full.mapper.suspend("p")
    full.machine.clock.step(1000)
    assert full.machine.queue.ended(number) is None
    full.mapper.resume("p")
    full.machine.clock.step(60)
    assert full.machine.queue.ended(number) == errno.ENOSPC


def test_it_waits_through_a_device_on_top_of_the_thin(full):
    full.mapper.create("top", [Target(0, 128 * 4, "zero", ""), Target(128 * 4, 128 * 20, "linear", "254:1 640")])
    number = submit(full, 2, 8, name="top")
    # Blocks 4 to 9 of the device are 5 to 10 of the thin, of which 5 to 7 are there.
    assert left(full) == [("top", ((7, 3),))]
    with pytest.raises(TimedOutError):
        full.mapper.suspend("t1")
    extend(full, 16)
    assert full.machine.queue.ended(number) == 0
    assert full.line("t1") == "0 128000 thin 1408 1407"


def test_a_reboot_forgets_it(full):
    number = submit(full, 20, 1)
    full.machine.reboot()
    assert left(full) == []
    with pytest.raises(MachineError) as caught:
        full.machine.queue.ended(number)
    assert caught.value.errno == errno.ESRCH


def test_it_survives_its_process_and_is_done_by_whoever_makes_space(full):
    number = submit(full, 20, 1)
    other = EmulatedMachine.open(full.machine._directory)
    assert other.queue.list_waiting("t1") == full.machine.queue.list_waiting()
    assert other.queue.list_waiting("p") == ()
    other.device_mapper.suspend("p")
    other.files.resize_file("/b/data", 16 * BLOCK)
    other.loops.refresh_capacity(full.data)
    other.device_mapper.load("p", [full.table(blocks=16)])
    other.device_mapper.resume("p")
    other.close()
    assert full.machine.queue.ended(number) == 0


def test_of_what_has_ended_the_last_hundred_are_remembered(bench):
    bench.thin(1)
    bench.mapper.suspend("t1")
    numbers = [submit(bench, 0, 1) for _ in range(103)]
    bench.mapper.resume("t1")
    assert bench.machine.queue.ended(numbers[3]) == 0
    with pytest.raises(MachineError):
        bench.machine.queue.ended(numbers[2])
