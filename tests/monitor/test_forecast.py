"""When it will be full: as a range, by the window that is worst, and not at all where nothing can be said."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmtui.monitor.forecast import REACH, Estimate, Forecaster, Window
from dmtui.monitor.history import History
from dmtui.monitor.quantities import Quantity
from dmtui.monitor.trend import Motion
from tests.monitor import made
from tests.monitor.made import GIB, NOW


def foretold(figures, step=1.0):
    """The forecast for a pool at the end of its figures: data, metadata (fractions) and free bytes of the host."""
    history = History()
    forecaster = Forecaster(history)
    sample = made.sample()
    for number, (data, metadata, host_free) in enumerate(figures):
        backing = made.backing(host_free_bytes=host_free)
        sample = made.sample(made.pool(data, metadata, data_backing=backing), at=NOW + number * step)
        history.add(sample)
    return forecaster.forecast(sample)["p"]


def test_of_steady_growth_the_time_is_what_is_left_by_the_rate():
    figures = [(0.4 + 0.0001 * n, 0.1 + 0.0005 * n, int((500 - 0.2 * n) * GIB)) for n in range(600)]
    forecast = foretold(figures)
    for quantity, left_seconds in (
        (Quantity.DATA_USED, (1 - figures[-1][0]) / 0.0001),
        (Quantity.METADATA_LIVE, (1 - figures[-1][1]) / 0.0005),
        (Quantity.HOST_FREE, figures[-1][2] / (0.2 * GIB)),
    ):
        worst = forecast.of(quantity).worst
        assert worst.window is Window.TEN_MINUTES
        assert worst.likely_seconds == pytest.approx(left_seconds, rel=0.01)
        assert worst.soonest_seconds <= worst.likely_seconds <= worst.latest_seconds


def test_metadata_are_full_where_the_kernel_s_reserve_begins():
    forecast = foretold([(0.4, 1.0, GIB)])
    assert forecast.metadata.free_bytes == 0


def test_a_pool_at_rest_has_no_end():
    forecast = foretold([(0.4, 0.1, 500 * GIB)] * 600)
    for quantity in Quantity:
        assert forecast.of(quantity).worst is None
        assert forecast.of(quantity).trend(Window.TEN_MINUTES).motion is Motion.FLAT


def test_an_image_that_was_pulled_is_no_trend():
    forecast = foretold([(0.4 if n < 300 else 0.5, 0.1, 500 * GIB) for n in range(600)])
    assert forecast.data.worst is None
    assert forecast.data.trend(Window.TEN_MINUTES).steps == 1


def test_what_empties_has_no_end_but_a_rate():
    forecast = foretold([(0.4 - 0.0001 * n, 0.1, (100 + n) * GIB) for n in range(600)])
    assert forecast.data.worst is None
    assert forecast.data.trend(Window.TEN_MINUTES).motion is Motion.FALLING
    assert forecast.data.trend(Window.TEN_MINUTES).rate == pytest.approx(-0.01 * GIB, rel=0.01)
    assert forecast.host.trend(Window.TEN_MINUTES).motion is Motion.FALLING


def test_a_window_needs_points_over_half_of_it():
    forecast = foretold([(0.4 + 0.0001 * n, 0.1, 500 * GIB) for n in range(290)])
    assert {trend.motion for _, trend in forecast.data.trends} == {Motion.TOO_FEW}
    assert forecast.data.worst is None


def test_longer_windows_come_in_as_their_time_has_passed():
    forecast = foretold([(0.1 + 0.00001 * n, 0.1, 500 * GIB) for n in range(0, 13 * 3600, 60)], step=60)
    rising = [window for window, trend in forecast.data.trends if trend.motion is Motion.RISING]
    assert rising == list(Window)
    likely = [estimate.likely_seconds for estimate in forecast.data.estimates]
    assert likely == pytest.approx([likely[0]] * 4, rel=0.05)


def test_the_worst_is_the_soonest_of_the_windows_that_reach_so_far():
    def forecast(*estimates):
        return dataclasses.replace(foretold([(0.4, 0.1, GIB)]).data, estimates=estimates)

    burst = Estimate(Window.TEN_MINUTES, 1e5, 1e5, 1e5)
    slow = Estimate(Window.DAY, 2e5, 3e5, 4e5)
    assert not burst.within_reach
    assert forecast(burst, slow).worst is slow
    assert forecast(burst).worst is burst
    near = Estimate(Window.TEN_MINUTES, 600, 600 * REACH, 9e9)
    assert forecast(near, slow).worst is near


def test_a_failed_pool_and_one_without_a_host_have_no_estimate():
    history = History()
    sample = made.sample(made.failed(data_backing=made.backing(host_free_bytes=None)))
    history.add(sample)
    forecast = Forecaster(history).forecast(sample)["p"]
    assert forecast.data.free_bytes is None
    assert forecast.data.estimates == ()


def test_another_pool_of_the_same_name_does_not_inherit_the_trend():
    history = History()
    forecaster = Forecaster(history)
    for number in range(600):
        sample = made.sample(made.pool(0.4 + 0.0001 * number), at=NOW + number)
        history.add(sample)
    assert forecaster.forecast(sample)["p"].data.worst
    other = made.sample(made.pool(0.4, uuid="another"), at=NOW + 600)
    history.add(other)
    assert forecaster.forecast(other)["p"].data.worst is None


@settings(max_examples=8, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(1e-5, 4e-4), st.integers(1, 7))
def test_asked_at_every_sample_or_only_in_the_end_the_forecast_is_nearly_the_same(start, slope, pace):
    history = History()
    asked = Forecaster(history)
    for number in range(0, 700, pace):
        sample = made.sample(made.pool(min(1.0, start + slope * number)), at=NOW + number)
        history.add(sample)
        eager = asked.forecast(sample)["p"].data
    late = Forecaster(history).forecast(sample)["p"].data
    assert (eager.worst is None) == (late.worst is None)
    if late.worst:
        assert eager.worst.likely_seconds == pytest.approx(late.worst.likely_seconds, rel=0.1, abs=60)
