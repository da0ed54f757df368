"""A pool's life: full, out of metadata, read-only and back, with its status lines and events as captured."""

import errno

import pytest

from dmtui.machine.errors import MachineError, NoSpaceError, PoolRefusesError, TimedOutError
from tests.machine.emulated.bench import BLOCK

ERROR = "0 1 error_if_no_space"


def test_an_empty_pool(bench):
    assert bench.line() == "0 131072 thin-pool 0 111/1024 0/1024 - rw discard_passdown queue_if_no_space - 256 "


def test_a_pool_with_everything_off(make_bench):
    bench = make_bench(words="0 4 skip_block_zeroing ignore_discard no_discard_passdown error_if_no_space")
    assert bench.line() == "0 131072 thin-pool 0 111/1024 0/1024 - rw ignore_discard error_if_no_space - 256 "


def test_a_full_pool_is_rw_until_one_block_more_is_wanted(make_bench):
    bench = make_bench(blocks=40, words="10 0")
    bench.thin(1)
    bench.write("t1", *range(30))
    assert bench.events == 0
    bench.write("t1", 30)
    assert bench.events == 1
    bench.write("t1", *range(31, 40))
    full = "0 5120 thin-pool 0 112/1024 40/40 - rw discard_passdown queue_if_no_space - 256 "
    assert (bench.line(), bench.events) == (full, 1)
    assert bench.line("t1") == "0 128000 thin 5120 5119"
    with pytest.raises(NoSpaceError, match="would wait"):
        bench.write("t1", 45)
    assert bench.line() == full.replace(" rw ", " out_of_data_space ")
    assert bench.events == 2


def test_a_full_pool_that_errors(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError) as caught:
        bench.write("t1", 8)
    assert "would wait" not in str(caught.value)
    assert bench.figures == "8/8 out_of_data_space error_if_no_space"
    assert bench.events == 2
    bench.write("t1", 3)


def test_the_blocks_before_the_failing_one_are_written(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.thin(1)
    with pytest.raises(NoSpaceError):
        bench.machine.write("t1", offset_bytes=0, length_bytes=10 * BLOCK)
    assert bench.line("t1") == "0 128000 thin 1024 1023"


def test_a_longer_table_ends_it(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 8)
    bench.grow_file("/b/data", bench.data, 16 * BLOCK)
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert bench.figures == "8/8 out_of_data_space error_if_no_space"
    bench.reload(ERROR, blocks=16)
    assert bench.line() == "0 2048 thin-pool 0 112/1024 8/16 - rw discard_passdown error_if_no_space - 256 "
    assert bench.events == 3


def test_deleting_a_thin_ends_it_at_once(make_bench):
    bench = make_bench(blocks=16, words=ERROR)
    bench.thin(1)
    bench.thin(2)
    bench.write("t1", *range(8))
    bench.write("t2", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 60)
    bench.mapper.remove("t2")
    bench.msg("delete 2")
    assert bench.line("p", flush=False).split()[5:8] == ["8/16", "-", "rw"]
    assert bench.events == 3


def test_a_discard_with_passdown_leaves_it_stuck_until_somebody_commits(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 8)
    bench.discard("t1", 7, 1)
    assert bench.line("p", flush=False).split()[5:8] == ["7/8", "-", "out_of_data_space"]
    assert bench.figures == "7/8 rw error_if_no_space"


def test_a_discard_without_passdown_ends_it_with_the_next_commit_of_the_clock(make_bench):
    bench = make_bench(blocks=8, words="0 2 no_discard_passdown error_if_no_space")
    bench.machine.clock.freeze()
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 8)
    bench.discard("t1", 7, 1)
    assert bench.line("p", flush=False).split()[5:8] == ["7/8", "-", "out_of_data_space"]
    bench.machine.clock.step(1)
    assert bench.line("p", flush=False).split()[5:8] == ["7/8", "-", "rw"]


def test_a_freed_block_is_nobodys_until_the_next_commit(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.machine.clock.freeze()
    bench.thin(1)
    bench.write("t1", *range(8))
    bench.discard("t1", 7, 1)
    with pytest.raises(NoSpaceError):
        bench.write("t1", 8)
    bench.machine.clock.step(1)
    bench.write("t1", 8)
    assert bench.figures == "8/8 rw error_if_no_space"


def test_breaking_sharing_needs_a_spare_block_even_when_nobody_shares_any_more(make_bench):
    bench = make_bench(blocks=8, words=ERROR)
    bench.thin(1)
    bench.write("t1", *range(8))
    bench.msg("create_snap 2 1")
    with pytest.raises(NoSpaceError):
        bench.write("t1", 0)
    bench.msg("delete 2")
    with pytest.raises(NoSpaceError):
        bench.write("t1", 0)
    bench.discard("t1", 7, 1)
    assert bench.figures == "7/8 rw error_if_no_space"
    bench.write("t1", 0)
    assert bench.figures == "7/8 rw error_if_no_space"
    bench.write("t1", 1)
    assert bench.line("t1") == "0 128000 thin 896 895"


def test_the_low_water_event_comes_once_until_the_pool_is_resumed(make_bench):
    bench = make_bench(blocks=40, words="10 0")
    bench.thin(1)
    bench.write("t1", *range(31))
    bench.discard("t1", 0, 20)
    bench.line()
    bench.write("t1", *range(40, 65))
    assert bench.events == 1
    bench.discard("t1", 40, 20)
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert bench.events == 1
    bench.write("t1", *range(80, 100))
    assert bench.events == 2


def test_the_220th_thin_turns_1_mib_of_metadata_read_only(make_bench):
    bench = make_bench(blocks=40, metadata=1 << 20)
    for thin_id in range(219):
        bench.msg(f"create_thin {thin_id}")
    assert bench.line().split()[4:8] == ["255/256", "0/40", "-", "rw"]
    bench.msg("create_thin 219")
    assert bench.line() == "0 5120 thin-pool 0 256/256 0/40 - ro discard_passdown queue_if_no_space - 64 "
    with pytest.raises(PoolRefusesError):
        bench.msg("delete 5")


def test_low_metadata_is_told_by_five_events_around_the_mark(make_bench):
    bench = make_bench(blocks=40, metadata=1 << 20)
    seen = []
    for thin_id in range(220):
        before = bench.events
        bench.msg(f"create_thin {thin_id}")
        bench.line()
        if bench.events != before:
            seen.append(thin_id)
    assert seen == [175, 176, 177, 178, 179, 219]


def test_out_of_metadata_thins_come_up_but_take_no_new_block(make_bench):
    bench = make_bench(blocks=40, metadata=1 << 20)
    for thin_id in range(220):
        bench.msg(f"create_thin {thin_id}")
    bench.activate(0)
    with pytest.raises(MachineError) as caught:
        bench.write("t0", 0)
    assert caught.value.errno == errno.EIO
    bench.discard("t0", 0, 1)
    assert bench.line("t0") == "0 128000 thin 0 -"


def test_a_reload_gives_rw_for_an_instant_and_growth_for_good(make_bench):
    bench = make_bench(blocks=40, metadata=1 << 20)
    for thin_id in range(220):
        bench.msg(f"create_thin {thin_id}")
    events = bench.events
    bench.reload()
    assert bench.line().split()[7] == "ro"
    assert bench.events == events + 2
    bench.grow_file("/b/meta", bench.meta, 2 << 20)
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert bench.line() == "0 5120 thin-pool 0 282/512 0/40 - rw discard_passdown queue_if_no_space - 128 "
    assert bench.events == events + 3
    bench.msg("create_thin 999")


def test_a_read_only_pool_serves_what_is_mapped(bench):
    bench.thin(1)
    bench.write("t1", 0)
    bench.reload("0 1 read_only")
    assert bench.figures == "1/1024 ro queue_if_no_space"
    bench.write("t1", 0)
    with pytest.raises(MachineError) as caught:
        bench.write("t1", 1)
    assert caught.value.errno == errno.EIO
    bench.reload()
    assert (bench.figures, bench.events) == ("1/1024 rw queue_if_no_space", 2)


def test_a_suspended_pool_suspends_its_thins_and_holds_their_io(bench):
    bench.thin(1)
    bench.mapper.suspend("p")
    info = bench.mapper.info("t1")
    assert (info.suspended, info.internal_suspend) == (False, True)
    with pytest.raises(TimedOutError):
        bench.write("t1", 0)
    bench.mapper.resume("p")
    bench.write("t1", 0)


def test_a_write_past_the_end_finds_no_space(bench):
    bench.thin(1, blocks=2)
    with pytest.raises(NoSpaceError):
        bench.write("t1", 2)


def test_a_thin_grows_and_shrinks_and_loses_nothing(bench):
    bench.thin(1, blocks=100)
    bench.write("t1", 0, 99)
    table = bench.mapper.table("t1").targets[0]
    for sectors in (1280, 25600):
        bench.mapper.load("t1", [type(table)(0, sectors, "thin", table.params)])
        bench.mapper.resume("t1")
        assert bench.line("t1") == f"0 {sectors} thin 256 12799"


def test_the_last_sectors_block_counts_whole(bench):
    bench.msg("create_thin 3")
    bench.mapper.create("t3", [bench.table().__class__(0, 1000, "thin", "254:0 3")])
    bench.machine.write("t3", offset_bytes=999 * 512, length_bytes=512)
    assert bench.line("t3") == "0 1000 thin 128 1023"


def test_a_thin_marked_for_removal_goes_with_its_last_user_and_its_pool_after_it(bench):
    bench.thin(1)
    bench.mapper.open_device("t1")
    with pytest.raises(MachineError) as caught:
        bench.mapper.remove("t1")
    assert caught.value.errno == errno.EBUSY
    bench.mapper.remove("p", deferred=True)
    bench.mapper.remove("t1", deferred=True)
    assert bench.mapper.info("t1").deferred_remove
    bench.write("t1", 0)
    bench.mapper.close_device("t1")
    assert bench.mapper.list_devices() == ()


def test_a_removal_can_be_called_off(bench):
    bench.thin(1)
    bench.mapper.open_device("t1")
    bench.mapper.remove("t1", deferred=True)
    bench.mapper.message("t1", "@cancel_deferred_remove")
    bench.mapper.message("t1", "@cancel_deferred_remove")
    bench.mapper.close_device("t1")
    assert not bench.mapper.info("t1").deferred_remove


def test_the_thin_devices_of_a_failed_pool_do_not_even_tell_their_table(tmp_path):
    from dmtui.lab.starter import populate
    from dmtui.machine.emulated import EmulatedMachine

    machine = EmulatedMachine.open(tmp_path / "machine")
    prefix = populate(machine, str(tmp_path / "machine" / "devicemapper")).prefix
    machine.faults.fail_pool(prefix.pool_name)
    assert machine.device_mapper.table(prefix.device_name("web")).targets[0].params == "Fail"
    assert machine.device_mapper.dependencies(prefix.device_name("web")) == (
        machine.device_mapper.info(prefix.pool_name).dev,
    )
    machine.close()
