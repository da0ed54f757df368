"""The timeline: bounded, in order of time, filled by alerts and by what the kernel did between two samples."""

import dataclasses
import random

from hypothesis import given
from hypothesis import strategies as st

from dmtui.monitor.alerts import AlertState
from dmtui.monitor.events import Event, Source, Timeline, event_of
from dmtui.monitor.kernelevents import kernel_events
from dmtui.monitor.severity import Severity
from tests.monitor import made
from tests.monitor.made import GIB, NOW


def event(at=NOW, text="x", pool="p", severity=Severity.INFO):
    return Event(at, Source.KERNEL, severity, pool, text)


class TestTimeline:
    @given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 15))
    def test_it_keeps_the_newest_in_the_order_of_time(self, times, limit):
        timeline = Timeline(limit)
        for number, at in enumerate(times):
            timeline.add([event(at, str(number))])
            assert len(timeline) <= limit
        shown = timeline.newest()
        assert [each.at for each in shown] == sorted((each.at for each in shown), reverse=True)
        assert timeline.version == len(times)

    @given(st.permutations(range(12)))
    def test_what_is_read_later_takes_its_place(self, order):
        timeline = Timeline()
        for at in order:
            timeline.add([event(at)])
        assert [each.at for each in timeline.newest()] == list(range(11, -1, -1))

    def test_of_one_moment_the_later_is_newer(self):
        timeline = Timeline()
        timeline.add([event(text="first"), event(text="second")])
        assert [each.text for each in timeline.newest()] == ["second", "first"]

    def test_a_few_of_those_that_are_wanted(self):
        timeline = Timeline()
        timeline.add(event(NOW + n, severity=Severity.CRIT if n % 2 else Severity.INFO) for n in range(10))
        found = timeline.newest(2, lambda each: each.severity is Severity.CRIT)
        assert [each.at - NOW for each in found] == [9, 7]

    def test_stepping_back_forgets_the_future(self):
        timeline = Timeline()
        timeline.add(event(NOW + n) for n in range(4))
        timeline.forget_after(NOW + 2)
        assert [each.at - NOW for each in timeline.newest()] == [1, 0]
        assert timeline.version == 5


class TestAlertsAsEvents:
    def changes(self, *pools):
        state = AlertState()
        for number, pool in enumerate(pools):
            state, changes = state.step(made.sample(pool, at=NOW + number), {})
            yield from changes

    def test_beginning_getting_worse_and_ending_are_told(self):
        events = [event_of(change) for change in self.changes(*map(made.pool, [0.8, 0.8, 0.95, 0.95, 0.1, 0.1]))]
        assert [(each.at - NOW, each.source, each.severity, each.pool) for each in events] == [
            (1, Source.ALERT, Severity.WATCH, "p"),
            (3, Source.ALERT, Severity.CRIT, "p"),
            (5, Source.ALERT, Severity.INFO, "p"),
        ]
        assert [each.text for each in events] == [
            "data space: data at 80.0 %, 21.47 GB free",
            "data space: got worse: data at 95.0 %, 5.369 GB free",
            "data space: ended after 3 s, 95.0 % at the most (data at 10.0 %, 96.64 GB free)",
        ]

    def test_an_acknowledgement_is_an_event_as_well(self):
        state, (change,) = AlertState().step(made.sample(made.pool(mode="ro")), {})
        _, (seen,) = state.acknowledge(change.alert.key, NOW + 9)
        assert event_of(seen) == Event(NOW + 9, Source.ALERT, Severity.INFO, "p", "mode: acknowledged")


def told(before, now, **sample):
    taken = [made.sample(*([pool] if pool else []), at=NOW + n, **sample) for n, pool in enumerate((before, now))]
    events = kernel_events(*taken)
    assert all((each.source, each.at, each.pool) == (Source.KERNEL, NOW + 1, "p") for each in events)
    return [(each.severity.word, each.text) for each in events]


class TestKernelEvents:
    def test_the_first_sample_tells_nothing(self):
        assert kernel_events(None, made.sample(made.pool())) == ()

    def test_nothing_changed_is_no_event(self):
        assert told(made.pool(0.3, 0.1), made.pool(0.4, 0.2)) == []

    def test_the_kernel_s_count_moves(self):
        assert told(made.pool(), made.pool(event_nr=5)) == [("info", "event 3 -> 5 of pool p")]

    def test_below_the_low_water_mark_that_is_said_with_it(self):
        low = made.pool(1 - 1000 * 65536 / (100 * GIB), event_nr=4)
        ((_, text),) = told(made.pool(), low)
        assert text == "event 3 -> 4 of pool p (1000 data blocks free, the low water mark is 1024)"

    def test_modes_and_flags_change(self):
        full = made.pool(mode="out_of_data_space", no_space_policy="error_if_no_space", needs_check=True)
        assert told(made.pool(), full) == [
            ("CRIT", "mode rw -> out_of_data_space"),
            ("CRIT", "needs_check is set"),
            ("WARN", "no-space policy queue_if_no_space -> error_if_no_space"),
        ]
        assert told(full, made.pool()) == [
            ("info", "mode out_of_data_space -> rw"),
            ("info", "needs_check is cleared"),
            ("WARN", "no-space policy error_if_no_space -> queue_if_no_space"),
        ]

    def test_what_a_failed_pool_does_not_tell_has_not_changed(self):
        assert told(made.pool(), made.failed()) == [("CRIT", "mode rw -> Fail")]

    def test_transaction_sizes_and_suspension(self):
        grown = made.pool(transaction_id=9, suspended=True)
        grown = dataclasses.replace(grown, data=dataclasses.replace(grown.data, total_bytes=200 * GIB))
        assert told(made.pool(), grown) == [
            ("WARN", "the pool is suspended"),
            ("info", "transaction id 7 -> 9"),
            ("info", "data space 107.4 GB -> 214.7 GB"),
        ]
        assert told(grown, made.pool())[-1] == ("WARN", "data space 214.7 GB -> 107.4 GB")

    def test_devices_appear_vanish_and_fail(self):
        before = made.pool(devices=(made.thin(1, "web"), made.thin(2, "db")))
        now = made.pool(devices=(made.thin(2, "db", failed=True), made.thin(3, "new")))
        assert told(before, now) == [
            ("info", "device new (thin id 3) appeared"),
            ("info", "device web (thin id 1) is gone"),
            ("CRIT", "device db (thin id 2) failed"),
        ]

    def test_a_name_over_another_thin_id_is_another_device(self):
        texts = [text for _, text in told(made.pool(devices=(made.thin(1, "a"),)),
                                          made.pool(devices=(made.thin(2, "a"),)))]  # fmt: skip
        assert texts == ["device a (thin id 2) appeared", "device a (thin id 1) is gone"]

    def test_thousands_at_once_are_one_event(self):
        many = tuple(made.thin(number) for number in range(3000))
        ((_, text),) = told(made.pool(), made.pool(devices=many))
        assert text == "3000 devices appeared: thin0, thin1, thin2, thin3, thin4 and others"
        assert "3000 devices are gone" in told(made.pool(devices=many), made.pool())[0][1]

    def test_pools_appear_vanish_and_are_made_anew(self):
        assert told(None, made.pool()) == [("info", "pool p appeared (rw)")]
        assert told(made.pool(), None) == [("WARN", "pool p is gone")]
        anew = [("WARN", "pool p was taken down and made anew (253:0 -> 253:9)")]
        assert told(made.pool(), made.pool(dev="253:9", transaction_id=0)) == anew
        assert told(made.pool(), made.pool(event_nr=0))[0][1].startswith("pool p was taken down")

    def test_a_pool_that_could_not_be_read_is_not_gone(self):
        unread = made.sample(at=NOW + 1, problems=("device p: does not answer",))
        assert kernel_events(made.sample(made.pool()), unread) == ()
        assert kernel_events(unread, made.sample(made.pool(), at=NOW + 2)) == ()

    @given(st.integers(0, 2**32))
    def test_it_tells_something_exactly_when_something_it_watches_has_changed(self, seed):
        dice = random.Random(seed)

        def any_pool():
            return made.pool(
                mode=dice.choice(["rw", "ro"]), event_nr=3, transaction_id=dice.choice([7, 8]),
                devices=tuple(made.thin(number) for number in range(3) if dice.random() < 0.5),
            )  # fmt: skip

        before, now = any_pool(), any_pool()
        assert bool(told(before, now)) is (before != now)
