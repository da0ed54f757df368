"""What thin devices count: blocks mapped, blocks shared, blocks given back. Lines as the kernel prints them."""

import pytest

from dmtui.machine.errors import DeviceMissingError, NoSuchThinIdError
from dmtui.thinpool.table import ThinTable

BLOCK = 64 << 10
MIB = 1 << 20


def data_used(rig, pool) -> str:
    """The pool's used and total data blocks."""
    return rig.committed(pool).split()[5]


def test_a_new_thin_device_maps_nothing(rig):
    rig.pool()
    assert rig.committed(rig.thin(1)) == "0 32768 thin 0 -"


def test_a_thin_table_is_read_back_with_the_pool_s_number(rig):
    pool = rig.pool()
    (target,) = rig.mapper.table(rig.thin(3)).targets
    assert str(target) == f"0 32768 thin {rig.mapper.info(pool).dev} 3"


def test_a_thin_device_stands_on_its_pool(rig):
    pool = rig.pool()
    assert rig.mapper.dependencies(rig.thin(1)) == (rig.mapper.info(pool).dev,)


def test_an_unknown_id_cannot_be_activated(rig):
    pool = rig.pool()
    with pytest.raises(NoSuchThinIdError):
        rig.mapper.create("dmtui-test-x", [ThinTable(str(rig.mapper.info(pool).dev), 4).target(2048)])


def test_a_write_maps_the_block_it_touches(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, 4096)
    assert rig.committed(thin) == "0 32768 thin 128 127"
    assert data_used(rig, pool) == "1/1024"


def test_a_write_across_a_border_maps_both_blocks(rig, io):
    rig.pool()
    thin = rig.thin(1)
    io.write(thin, BLOCK - 4096, 8192)
    assert rig.committed(thin) == "0 32768 thin 256 255"


def test_a_second_write_to_a_block_maps_nothing_more(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, BLOCK)
    io.write(thin, 4096, 4096)
    assert data_used(rig, pool) == "1/1024"


def test_the_highest_mapped_sector_is_the_end_of_the_last_block(rig, io):
    rig.pool()
    thin = rig.thin(1)
    io.write(thin, 5 * BLOCK, 4096)
    assert rig.committed(thin) == "0 32768 thin 128 767"


def test_a_pool_s_line_after_a_megabyte_is_the_kernel_s(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, MIB)
    assert rig.committed(pool) == "0 131072 thin-pool 0 112/1024 16/1024 - rw discard_passdown queue_if_no_space - 256 "


def test_a_snapshot_has_its_origin_s_blocks_and_takes_none(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, MIB)
    rig.mapper.suspend(thin)
    rig.mapper.message(pool, "create_snap 2 1")
    rig.mapper.resume(thin)
    assert rig.committed(rig.activate(2)) == "0 32768 thin 2048 2047"
    assert data_used(rig, pool) == "16/1024"


def test_a_write_to_a_snapshot_breaks_the_sharing_of_one_block(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, MIB)
    rig.mapper.message(pool, "create_snap 2 1")
    snapshot = rig.activate(2)
    io.write(snapshot, 0, 4096)
    assert data_used(rig, pool) == "17/1024"
    assert rig.committed(snapshot) == "0 32768 thin 2048 2047"


def test_the_origin_copies_a_block_once_more_after_its_snapshot_is_gone(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, BLOCK)
    rig.mapper.message(pool, "create_snap 2 1")
    rig.mapper.message(pool, "delete 2")
    io.write(thin, 0, BLOCK)
    assert data_used(rig, pool) == "1/1024"


def test_deleting_a_device_gives_back_only_what_nobody_shares(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, MIB)
    rig.mapper.message(pool, "create_snap 2 1")
    io.write(thin, 0, 2 * BLOCK)
    rig.mapper.remove(thin)
    rig.mapper.message(pool, "delete 1")
    assert data_used(rig, pool) == "16/1024"


def test_a_discard_gives_a_block_back(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, MIB)
    io.discard(thin, 4 * BLOCK, 2 * BLOCK)
    assert rig.committed(thin) == "0 32768 thin 1792 2047"
    assert data_used(rig, pool) == "14/1024"


def test_a_discard_of_the_last_block_lowers_the_highest_mapped_sector(rig, io):
    rig.pool()
    thin = rig.thin(1)
    io.write(thin, 0, MIB)
    io.discard(thin, 15 * BLOCK, BLOCK)
    assert rig.committed(thin) == "0 32768 thin 1920 1919"


def test_a_discard_of_part_of_a_block_gives_nothing_back(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, BLOCK)
    io.discard(thin, 0, BLOCK // 2)
    assert data_used(rig, pool) == "1/1024"


def test_a_discard_of_a_shared_block_leaves_it_to_the_other(rig, io):
    pool, thin = rig.pool(), rig.thin(1)
    io.write(thin, 0, BLOCK)
    rig.mapper.message(pool, "create_snap 2 1")
    io.discard(thin, 0, BLOCK)
    assert rig.committed(thin) == "0 32768 thin 0 -"
    assert data_used(rig, pool) == "1/1024"


def test_a_thin_device_s_blocks_survive_deactivation(rig, io):
    rig.pool()
    thin = rig.thin(1)
    io.write(thin, 0, BLOCK)
    rig.mapper.remove(thin)
    assert rig.committed(rig.activate(1)) == "0 32768 thin 128 127"


def test_one_id_may_be_active_twice(rig, io):
    rig.pool()
    first, second = rig.thin(1), rig.activate(1, name="dmtui-test-second")
    io.write(first, 0, BLOCK)
    assert rig.committed(second) == "0 32768 thin 128 127"


def test_a_full_pool_says_rw_until_somebody_asks_for_more(rig, io):
    pool, thin = rig.pool(data_bytes=MIB, features=("error_if_no_space",)), rig.thin(1)
    io.write(thin, 0, MIB)
    line = "0 2048 thin-pool 0 112/1024 16/16 - rw discard_passdown error_if_no_space - 256 "
    assert rig.committed(pool) == line


def test_a_write_to_a_full_pool_is_an_error_and_the_pool_says_so(rig, io):
    pool, thin = rig.pool(data_bytes=MIB, features=("error_if_no_space",)), rig.thin(1)
    io.write(thin, 0, MIB)
    with pytest.raises(Exception, match="ENOSPC"):
        io.write(thin, MIB, 4096)
    assert " 16/16 - out_of_data_space " in rig.committed(pool)


def test_deleting_a_device_brings_a_full_pool_back(rig, io):
    pool, thin = rig.pool(data_bytes=MIB, features=("error_if_no_space",)), rig.thin(1)
    io.write(thin, 0, MIB)
    with pytest.raises(Exception, match="ENOSPC"):
        io.write(thin, MIB, 4096)
    rig.mapper.remove(thin)
    rig.mapper.message(pool, "delete 1")
    assert " 0/16 - rw " in rig.committed(pool)


def test_crossing_the_low_water_mark_is_an_event(rig, io):
    pool, thin = rig.pool(data_bytes=MIB, low_water=8), rig.thin(1)
    io.write(thin, 0, 8 * BLOCK)
    assert rig.mapper.info(pool).event_nr == 0
    io.write(thin, 8 * BLOCK, BLOCK)
    assert rig.mapper.info(pool).event_nr == 1


def test_an_event_ends_the_wait_for_one_and_is_told_once(rig, io):
    rig.pool(data_bytes=MIB, low_water=8)
    thin = rig.thin(1)
    while rig.mapper.wait_for_event(0.2):
        pass  # those of other tests' devices
    io.write(thin, 0, 9 * BLOCK)
    assert rig.mapper.wait_for_event(5.0)
    assert not rig.mapper.wait_for_event(0.5)


def test_asked_for_together_devices_say_what_each_says_alone_and_one_that_is_missing_is_told_in_its_place(rig, io):
    pool = rig.pool()
    names = [pool, *(rig.thin(thin_id) for thin_id in range(3))]
    io.write(names[2], 0, BLOCK)
    rig.committed(pool)
    assert rig.opened(names[2], 0)
    rig.mapper.suspend(names[3])
    rig.mapper.load(names[1], rig.mapper.table(names[1]).targets)
    asked = [*names, "dmtui-test-nothing", names[1]] * 5
    answers = list(rig.mapper.statuses(asked))
    missing = [answer for answer in answers if isinstance(answer, DeviceMissingError)]
    rest = [answer for answer in answers if not isinstance(answer, DeviceMissingError)]
    assert (len(answers), len(missing)) == (len(asked), 5)
    assert rest == [rig.mapper.status(name) for name in asked if name != "dmtui-test-nothing"]
    rig.mapper.resume(names[3])
    assert next(iter(rig.mapper.statuses([names[3]]))) == rig.mapper.status(names[3])
