"""Troubles caused by hand, and the ways out of them."""

import errno

import pytest

from dmtui.machine.errors import DeviceBusyError, InvalidError, MachineError, NoSpaceError, PoolRefusesError


def test_a_failed_pool_says_so_in_one_word_and_serves_nothing(bench):
    bench.thin(1)
    bench.write("t1", 0)
    bench.machine.faults.fail_pool("p")
    assert bench.line() == "0 131072 thin-pool Fail"
    assert bench.line("t1") == "0 128000 thin Fail"
    assert bench.events == 1
    with pytest.raises(PoolRefusesError):
        bench.msg("create_thin 2")
    for act in (lambda: bench.write("t1", 0), lambda: bench.discard("t1", 0, 1), lambda: bench.machine.flush("t1")):
        with pytest.raises(MachineError) as caught:
            act()
        assert caught.value.errno == errno.EIO
    with pytest.raises(InvalidError):
        bench.mapper.load("p", [bench.table()])
    with pytest.raises(InvalidError, match="Pool is in fail mode"):
        bench.mapper.create("again", [bench.table().__class__(0, 128, "thin", "254:0 1")])


def test_a_failed_pool_stays_so_through_suspend_and_resume_and_comes_back_when_activated_anew(bench):
    bench.thin(1)
    bench.write("t1", 0)
    bench.machine.flush("t1")
    bench.machine.faults.fail_pool("p")
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert bench.line() == "0 131072 thin-pool Fail"
    bench.mapper.remove("t1")
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])
    assert bench.figures == "1/1024 rw queue_if_no_space"


def test_a_failed_operation_makes_it_read_only_until_it_was_checked(bench):
    bench.machine.faults.fail_metadata_operation("p")
    broken = "0 131072 thin-pool 0 111/1024 0/1024 - ro discard_passdown queue_if_no_space needs_check 256 "
    assert bench.line() == broken
    bench.reload()
    assert bench.line() == broken
    with pytest.raises(DeviceBusyError):
        bench.machine.faults.clear_needs_check("/b/meta")
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])
    assert bench.line() == broken
    bench.mapper.remove("p")
    bench.machine.faults.clear_needs_check("/b/meta")
    bench.mapper.create("p", [bench.table()])
    assert bench.figures == "0/1024 rw queue_if_no_space"


def test_a_pool_that_needs_a_check_does_not_grow(bench):
    bench.machine.faults.fail_metadata_operation("p")
    bench.grow_file("/b/data", bench.data, 2048 * 65536)
    bench.reload(blocks=2048)
    assert bench.line().split()[5] == "0/1024"


@pytest.mark.parametrize("mapped", [True, False])
def test_a_flush_is_looked_up_at_block_0(make_bench, mapped):
    bench = make_bench(blocks=8, words="0 1 error_if_no_space")
    bench.thin(1)
    bench.write("t1", *range(not mapped, 8 + (not mapped)))
    bench.machine.flush("t1")
    with pytest.raises(NoSpaceError):
        bench.write("t1", 20)
    if mapped:
        bench.machine.flush("t1")
        return
    with pytest.raises(NoSpaceError):
        bench.machine.flush("t1")
    bench.reload("0 1 read_only")
    with pytest.raises(MachineError) as caught:
        bench.machine.flush("t1")
    assert caught.value.errno == errno.EIO


def test_only_pools_have_such_troubles(bench):
    bench.thin(1)
    with pytest.raises(InvalidError):
        bench.machine.faults.fail_pool("t1")


def test_a_flush_of_the_pool_s_own_device_finds_nothing_to_do(bench):
    bench.machine.flush("p")
