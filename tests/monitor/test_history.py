"""The history: bounded, true to what was sampled, honest about what was not."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmtui.monitor.history import BYTES_PER_POOL, KEPT_AFTER_VANISHING_SECONDS, KEPT_POOLS, History, resolution_for
from dmtui.monitor.quantities import Quantity, measure
from dmtui.monitor.rings import RESOLUTIONS, Resolution, Ring
from tests.monitor import made
from tests.monitor.made import GIB, NOW


def filled(fractions, start=NOW, step=1.0) -> History:
    """A history of a pool whose data were so full, one sample after the other."""
    history = History()
    for number, fraction in enumerate(fractions):
        history.add(made.sample(made.pool(fraction), at=start + number * step))
    return history


def data(history, span=900.0, **options):
    return history.points("p", Quantity.DATA_USED, span, **options)


class TestRing:
    @given(
        st.lists(st.tuples(st.floats(0, 400), st.none() | st.floats(0, 1e15)), max_size=60),
        st.integers(1, 20),
        st.integers(1, 7),
    )
    def test_every_slot_has_low_mean_and_high_of_its_samples_and_the_ring_no_more_than_its_slots(
        self, taken, slots, step
    ):
        ring, expected = Ring(Resolution(step, slots)), {}
        for at, value in sorted(taken, key=lambda each: each[0]):
            ring.add(at, value, 2e15)
            expected.setdefault(math.floor(at / step), []).extend([] if value is None else [value])
        newest = max(expected, default=0)
        kept = {slot: values for slot, values in expected.items() if values and slot > newest - slots}
        points = list(ring.points(-1, 1000))
        assert [point.at for point in points] == [slot * step for slot in sorted(kept)]
        for point, slot in zip(points, sorted(kept), strict=True):
            assert (point.low, point.high) == (min(kept[slot]), max(kept[slot]))
            assert point.mean == pytest.approx(sum(kept[slot]) / len(kept[slot]), rel=1e-12, abs=1e-3)
            assert point.total == 2e15

    @given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.integers(0, 120))
    def test_what_is_forgotten_is_as_if_it_had_never_come(self, times, moment):
        ring, other = Ring(Resolution(1, 10)), Ring(Resolution(1, 10))
        for at in sorted(times):
            ring.add(at, at, None)
        ring.forget_after(moment)
        newest = max(times)
        for at in sorted(times):
            if at < moment and at > newest - 10:
                other.add(at, at, None)
        assert list(ring.points(0, 200)) == list(other.points(0, 200))

    def test_a_jump_of_years_takes_no_time(self):
        ring = Ring(Resolution(1, 900))
        ring.add(0, 1.0, 1.0)
        ring.add(3e9, 2.0, 2.0)
        assert [point.at for point in ring.points(0, 4e9)] == [3e9]


class TestWhatIsRemembered:
    def test_three_figures_of_a_pool(self):
        history = History()
        history.add(made.sample(made.pool(0.25, 0.5)))
        expected = {
            Quantity.DATA_USED: (25 * GIB, 100 * GIB),
            Quantity.METADATA_LIVE: (made.LIVE_BYTES // 2, made.LIVE_BYTES),
            Quantity.HOST_FREE: (500 * GIB, 1000 * GIB),
        }
        for quantity, (value, total) in expected.items():
            (point,) = history.points("p", quantity, 60)
            assert (point.mean, point.total) == (value, total)

    def test_an_empty_pool_has_no_live_metadata(self):
        assert measure(made.pool(metadata=0), Quantity.METADATA_LIVE).fraction == 0

    def test_the_host_is_the_metadata_file_s_where_the_data_are_on_a_disk(self):
        mixed = made.pool(data_backing=dataclasses.replace(made.backing(), loop_file=None, host_free_bytes=None))
        assert measure(mixed, Quantity.HOST_FREE).value_bytes == 500 * GIB
        on_disks = dataclasses.replace(mixed, metadata_backing=mixed.data_backing)
        assert measure(on_disks, Quantity.HOST_FREE).value_bytes is None

    def test_an_unknown_figure_and_a_missing_sample_are_gaps(self):
        history = History()
        for offset, pool in ((0, made.pool(0.1)), (1, made.failed()), (5, made.pool(0.2))):
            history.add(made.sample(pool, at=NOW + offset))
        assert [point.at - NOW for point in data(history)] == [0, 5]

    def test_seven_days_by_the_second_are_kept_within_the_stated_bytes(self):
        history = History()
        for at in range(0, 700_000, 97):
            history.add(made.sample(made.pool(), at=at))
        assert len(data(history, 900)) <= 900
        assert len(data(history, 6 * 3600)) <= 1440
        assert len(data(history, 7 * 86400)) <= 2016
        assert BYTES_PER_POOL == 418_176

    def test_a_longer_span_is_read_from_a_coarser_ring(self):
        assert [resolution_for(span).step_seconds for span in (60, 900, 901, 21600, 21601, 604800, 9e9)] == [
            1, 1, 15, 15, 300, 300, 300,
        ]  # fmt: skip

    def test_the_past_is_read_from_a_ring_that_reaches_it(self):
        history = filled([0.5] * 2000)
        assert len(data(history, 60, until=NOW + 1990)) == 61
        assert {point.at % 15 for point in data(history, 60, until=NOW + 500)} == {0}


class TestPools:
    def test_a_pool_that_vanishes_keeps_its_history_for_a_day(self):
        history = filled([0.1])
        history.add(made.sample(at=NOW + KEPT_AFTER_VANISHING_SECONDS))
        assert history.pools == ("p",)
        assert data(history, 7 * 86400)
        history.add(made.sample(at=NOW + KEPT_AFTER_VANISHING_SECONDS + 1))
        assert history.pools == ()

    def test_another_pool_of_the_same_name_begins_anew(self):
        history = filled([0.1, 0.2])
        history.add(made.sample(made.pool(0.9, uuid="DMTUI-other"), at=NOW + 2))
        assert [point.at for point in data(history)] == [NOW + 2]

    def test_the_same_pool_on_another_loop_device_goes_on(self):
        history = filled([0.1])
        moved = made.pool(0.2, data_backing=made.backing(dev="7:5", device="/dev/loop5"))
        history.add(made.sample(moved, at=NOW + 9))
        assert len(data(history)) == 2

    def test_pools_beyond_the_bound_have_no_history_and_the_others_keep_theirs(self):
        many = [made.pool(name=f"p{number}") for number in range(KEPT_POOLS + 3)]
        history = History()
        for offset in range(3):
            history.add(made.sample(*many, at=NOW + offset))
        assert history.pools == tuple(f"p{number}" for number in range(KEPT_POOLS))
        assert len(history.points("p0", Quantity.DATA_USED, 60)) == 3
        assert history.points(f"p{KEPT_POOLS}", Quantity.DATA_USED, 60) == ()

    def test_a_vanished_pool_makes_room_for_a_new_one(self):
        many = [made.pool(name=f"p{number}") for number in range(KEPT_POOLS)]
        history = History()
        history.add(made.sample(*many))
        history.add(made.sample(*many[1:], made.pool(name="new"), at=NOW + 1))
        assert "p0" not in history.pools
        assert "new" in history.pools


class TestGoingBackInTime:
    def test_a_history_never_knows_its_future(self):
        history = filled([0.1, 0.2, 0.3, 0.4])
        history.add(made.sample(made.pool(0.9), at=NOW + 1))
        assert [(point.at - NOW, round(point.mean / 100 / GIB, 3)) for point in data(history)] == [(0, 0.1), (1, 0.9)]
        assert history.newest_at == NOW + 1

    def test_also_of_a_pool_that_is_not_there_any_more(self):
        history = filled([0.1, 0.2, 0.3])
        history.add(made.sample(at=NOW + 1))
        assert [point.at for point in data(history)] == [NOW]


class TestHowFarBackItReaches:
    def test_is_from_the_newest_sample_to_the_first_of_that_pool(self):
        history = filled([0.1])
        history.add(made.sample(made.pool(0.1), made.pool(name="later"), at=NOW + 5))
        history.add(made.sample(made.pool(0.1), made.pool(name="later"), at=NOW + 8))
        assert [history.known_seconds(name) for name in ("p", "later", "none")] == [8, 3, 0]

    def test_is_less_after_a_step_back_and_begins_anew_before_the_first(self):
        history = filled([0.1] * 9)
        history.add(made.sample(made.pool(0.2), at=NOW + 4))
        assert history.known_seconds("p") == 4
        history.add(made.sample(made.pool(0.2), at=NOW - 4))
        history.add(made.sample(made.pool(0.2), at=NOW))
        assert history.known_seconds("p") == 4


class TestColumns:
    def columns(self, history, span=60.0, count=60, **options):
        return history.columns("p", Quantity.DATA_USED, span, count, **options)

    def test_there_are_as_many_as_asked_for_also_of_a_pool_that_nobody_knows(self):
        assert self.columns(History(), count=7) == (None,) * 7
        assert History().columns("q", Quantity.DATA_USED, 60, 3) == (None,) * 3

    def test_the_newest_is_last_and_gaps_stay(self):
        history = filled([0.1, 0.2])
        history.add(made.sample(made.pool(0.4), at=NOW + 3))
        assert [None if p is None else p.fraction for p in self.columns(history)[-5:]] == [None, 0.1, 0.2, None, 0.4]

    def test_a_column_joins_what_lies_in_it(self):
        history = filled([0.1, 0.4, 0.2, 0.3], start=1200.0)
        (point,) = [p for p in self.columns(history, span=100, count=10) if p]
        assert (point.low / GIB, point.high / GIB) == (10, 40)
        assert point.mean == pytest.approx(25 * GIB)

    def test_a_slow_poll_holds_on_as_long_as_it_is_told_and_no_longer(self):
        history = filled([0.1, 0.2, 0.3], start=NOW - 45, step=5)
        history.add(made.sample(made.pool(0.4), at=NOW))
        shown = self.columns(history, hold_seconds=5)
        known = [number for number, point in enumerate(shown) if point]
        assert known == [*range(14, 30), 59]
        assert [shown[14 + offset].fraction for offset in (0, 4, 5, 10, 15)] == [0.1, 0.1, 0.2, 0.3, 0.3]

    def test_what_lies_before_the_first_column_holds_into_it(self):
        history = filled([0.1], start=NOW - 11)
        history.add(made.sample(made.pool(0.2), at=NOW))
        assert self.columns(history, span=10, count=10, hold_seconds=4)[:3][0].fraction == 0.1
        assert self.columns(history, span=10, count=10, hold_seconds=4)[4] is None

    def test_columns_finer_than_the_ring_have_no_holes(self):
        history = filled([0.5] * 300, step=15)
        assert None not in self.columns(history, span=3600, count=1000)

    @settings(max_examples=50)
    @given(st.integers(1, 100), st.floats(1, 100_000), st.floats(0, 50))
    def test_columns_move_and_never_shimmer(self, count, span, later):
        history = filled([0.1, 0.2, 0.3], start=NOW)
        before = self.columns(history, span, count)
        after = self.columns(history, span, count, until=NOW + 2 + later)
        moved = math.floor((NOW + 2 + later) / (span / count)) - math.floor((NOW + 2) / (span / count))
        if resolution_for(span) == RESOLUTIONS[0] and span / count >= 1:
            assert after[: max(0, count - moved)] == before[moved:]
