"""Data blocks: which are taken, shared, copied and given back."""

import errno

import pytest

from dmtui.machine.emulated.mapping import stretches
from dmtui.machine.emulated.metadata import in_memory
from dmtui.machine.errors import MachineError
from tests.machine.emulated.bench import put, unmap


@pytest.fixture
def pool():
    pool = in_memory(1024, 100)
    pool.create_thin(1)
    pool.commit()
    return pool


def where(pool, thin_id: int, block: int) -> int | None:
    return next(iter(stretches(pool, thin_id, block, block + 1))).data_block


def test_blocks_are_taken_upwards(pool):
    for block in (50, 7, 9):
        put(pool, 1, block)
    assert [where(pool, 1, block) for block in (50, 7, 9)] == [0, 1, 2]


def test_the_cursor_goes_on_past_what_was_freed_and_wraps_once(pool):
    put(pool, 1, 0, 60)
    pool.commit()
    unmap(pool, 1, 0, 60)
    pool.commit()
    put(pool, 1, 0)
    assert where(pool, 1, 0) == 60
    put(pool, 1, 1, 40)
    assert where(pool, 1, 39) == 99
    assert where(pool, 1, 40) == 0


def test_a_freed_block_cannot_be_taken_in_the_same_transaction(pool):
    put(pool, 1, 0, 100)
    pool.commit()
    unmap(pool, 1, 10, 11)
    assert pool.data.free_blocks == 1
    assert pool.data.allocate(1) is None
    pool.commit()
    assert pool.data.allocate(1) == (10, 1)


def test_the_cursor_starts_anew_when_the_pool_does(bench):
    bench.thin(1)
    bench.write("t1", 0, 1)
    bench.discard("t1", 0, 2)
    bench.mapper.remove("t1")
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])
    bench.activate(1)
    bench.write("t1", 5)
    with bench.machine._store.write() as connection:
        pool = bench.machine._pools.metadata(connection, 1)
        assert where(pool, 1, 5) == 0


def test_a_snapshot_shares_everything_at_once(bench):
    bench.thin(1)
    bench.write("t1", *range(5))
    bench.msg("create_snap 2 1")
    bench.activate(2)
    assert bench.line("t2") == "0 128000 thin 640 639"
    assert bench.figures.startswith("5/1024")


def test_either_side_copies_on_its_first_write_only(bench):
    bench.thin(1)
    bench.write("t1", *range(5))
    bench.msg("create_snap 2 1")
    bench.activate(2)
    bench.write("t2", 0, 0, 0)
    assert bench.figures.startswith("6/1024")
    bench.write("t1", 0)
    assert bench.figures.startswith("6/1024")
    bench.write("t1", 1)
    assert bench.figures.startswith("7/1024")
    assert bench.line("t1") == bench.line("t2") == "0 128000 thin 640 639"


def test_sharing_is_decided_by_time_even_after_the_snapshot_has_gone(bench):
    bench.thin(1)
    bench.write("t1", 0)
    bench.msg("create_snap 2 1")
    bench.msg("delete 2")
    with bench.machine._store.write() as connection:
        pool = bench.machine._pools.metadata(connection, 1)
        before = where(pool, 1, 0)
    bench.write("t1", 0)
    with bench.machine._store.write() as connection:
        pool = bench.machine._pools.metadata(connection, 1)
        assert where(pool, 1, 0) != before
    assert bench.figures.startswith("1/1024")


def test_what_is_written_after_the_snapshot_is_not_shared(bench):
    bench.thin(1)
    bench.msg("create_snap 2 1")
    bench.write("t1", 0, 0)
    assert bench.figures.startswith("1/1024")


def test_deleting_the_origin_leaves_the_snapshot(bench):
    bench.thin(1)
    bench.write("t1", *range(5))
    bench.msg("create_snap 30 1")
    bench.mapper.remove("t1")
    bench.msg("delete 1")
    bench.activate(30)
    assert bench.line("t30") == "0 128000 thin 640 639"
    assert bench.figures.startswith("5/1024")


def test_a_partial_write_takes_every_block_it_touches(bench):
    bench.thin(1)
    bench.machine.write("t1", offset_bytes=65535, length_bytes=2)
    assert bench.line("t1") == "0 128000 thin 256 255"


def test_a_discard_unmaps_whole_blocks_only(bench):
    bench.thin(1)
    bench.write("t1", *range(32))
    bench.discard("t1", 10, 0.5)
    bench.discard("t1", 40, 1)
    assert bench.figures.startswith("32/")
    bench.discard("t1", 12.5, 1.5)
    assert bench.figures.startswith("31/")
    bench.discard("t1", 0, 8)
    assert bench.line("t1") == "0 128000 thin 2944 4095"


def test_the_highest_sector_falls_when_the_top_is_discarded(bench):
    bench.thin(1)
    bench.write("t1", 3, 9)
    bench.discard("t1", 9, 1)
    assert bench.line("t1") == "0 128000 thin 128 511"
    bench.discard("t1", 0, 9)
    assert bench.line("t1") == "0 128000 thin 0 -"


def test_a_shared_block_is_unmapped_but_stays(bench):
    bench.thin(1)
    bench.write("t1", *range(4))
    bench.msg("create_snap 2 1")
    bench.discard("t1", 0, 1)
    assert bench.figures.startswith("4/1024")
    assert bench.machine.files.identify("/b/data").allocated_bytes == 4 * 65536


def test_discards_may_be_refused(make_bench):
    bench = make_bench(words="0 1 ignore_discard")
    bench.thin(1)
    with pytest.raises(MachineError) as caught:
        bench.discard("t1", 0, 1)
    assert caught.value.errno == errno.EOPNOTSUPP
