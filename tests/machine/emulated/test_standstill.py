"""Standing still: told by a number that any change of the store changes, and by none while a change needs no write."""

from __future__ import annotations

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import NoSpaceError


def test_looking_leaves_the_number_as_it_is(bench):
    before = bench.machine.standstill()
    assert before is not None
    bench.mapper.status("p")
    bench.mapper.list_devices()
    bench.machine.loops.list_bound()
    bench.machine.now()
    assert bench.machine.standstill() == before


def test_a_change_gives_another_number_whoever_makes_it(bench, tmp_path):
    numbers = [bench.machine.standstill()]
    bench.msg("create_thin 1")
    numbers.append(bench.machine.standstill())
    other = EmulatedMachine.open(tmp_path / "machine")
    other.device_mapper.message("p", "create_thin 2")
    other.close()
    numbers.append(bench.machine.standstill())
    assert None not in numbers
    assert len(set(numbers)) == 3


def test_while_a_writer_waits_for_space_time_alone_brings_changes(make_bench):
    bench = make_bench(blocks=8)
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 20)
    assert bench.machine.standstill() is None
    bench.machine.clock.step(60)
    bench.mapper.list_devices()
    assert bench.machine.standstill() is not None


def test_while_a_transaction_is_open_its_commit_will_come(bench):
    bench.thin(1)
    bench.mapper.status_flush("p")
    assert bench.machine.standstill() is not None
    bench.write("t1", 1)
    assert bench.machine.standstill() is None
    bench.machine.clock.step(60)
    bench.mapper.list_devices()
    assert bench.machine.standstill() is not None


def test_a_holder_of_a_loop_device_may_die_unnoticed(bench):
    bench.machine.files.make_sparse_file("/b/other", 1 << 20)
    loop = bench.machine.loops.attach("/b/other")
    assert bench.machine.standstill() is None
    bench.machine.loops.release(loop)
    assert bench.machine.standstill() is not None


def test_a_device_that_hangs_must_be_asked_each_time(bench):
    bench.machine.outages.hang("p")
    assert bench.machine.standstill() is None
    bench.machine.outages.end("hang")
    assert bench.machine.standstill() is not None
