"""Waiting for an event: those that other processes cause are heard, what is no event is not."""

from __future__ import annotations

from dmtui.machine.emulated import EmulatedMachine


def test_an_event_that_another_process_caused_is_heard(bench, tmp_path):
    assert not bench.mapper.wait_for_event(0.0)
    other = EmulatedMachine.open(tmp_path / "machine")
    other.faults.fail_metadata_operation("p")
    other.close()
    assert bench.mapper.wait_for_event(5.0)
    assert not bench.mapper.wait_for_event(0.0)


def test_what_happened_before_the_first_wait_is_not_told(bench):
    bench.machine.faults.fail_metadata_operation("p")
    assert not bench.mapper.wait_for_event(0.0)


def test_a_change_that_is_no_event_is_not_heard(bench):
    bench.mapper.wait_for_event(0.0)
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert not bench.mapper.wait_for_event(0.3)
