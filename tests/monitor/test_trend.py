"""A trend: of a line the line, of a line with a step the line, of noise none."""

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dmtui.monitor.trend import FEWEST_POINTS, Motion, Trend, fit

MIB = 1024**2
slopes = st.floats(0.5, 100).map(lambda rate: rate * MIB)
counts = st.integers(FEWEST_POINTS, 48)


def line(slope, count, start=1e9, step=12.0):
    return [(1.7e9 + step * number, start + slope * step * number) for number in range(count)]


def noisy(points, spread, seed):
    dice = random.Random(seed)
    return [(at, value + dice.gauss(0, spread)) for at, value in points]


@given(slopes, counts, st.sampled_from([1, -1]))
def test_of_a_line_it_is_the_line(slope, count, sign):
    trend = fit(line(sign * slope, count, start=1e11))
    assert trend.motion is (Motion.RISING if sign > 0 else Motion.FALLING)
    assert (trend.rate, trend.low_rate, trend.high_rate) == pytest.approx((sign * slope,) * 3, rel=1e-6)
    assert trend.steps == 0


@given(slopes, st.integers(12, 48), st.floats(-200, 200), st.data())
def test_of_a_line_with_a_step_it_is_the_line_wherever_the_step_is(slope, count, height, data):
    where = data.draw(st.integers(1, count - 1))
    assume(abs(height) > 0.01)
    points = [(at, value + (height * 1024 * MIB if number >= where else 0)) for number, (at, value) in
              enumerate(line(slope, count, start=1e12))]  # fmt: skip
    trend = fit(points)
    assert trend.rate == pytest.approx(slope, rel=1e-4)
    assert trend.motion is Motion.RISING
    assert trend.steps == 1


@settings(derandomize=True)  # of noise all that can be said is said of most of it: always the same
@given(slopes, st.integers(0, 10**6), st.integers(15, 35))
def test_a_step_within_two_points_and_under_noise_is_none_of_the_trend(slope, seed, where):
    spread = slope * 12
    points = noisy(line(slope, 48), spread, seed)
    moved = [(at, value + spread * 200 * (0 if n < where else 0.4 if n == where else 1)) for n, (at, value) in
             enumerate(points)]  # fmt: skip
    trend = fit(moved)
    assert trend.rate == pytest.approx(slope, rel=0.15)
    assert trend.low_rate <= trend.rate <= trend.high_rate


@settings(derandomize=True)
@given(st.integers(0, 10**6), st.floats(0.001, 1000), st.integers(30, 48))
def test_noise_around_a_constant_is_no_trend(seed, spread, count):
    assert fit(noisy(line(0, count), spread * MIB, seed)).motion is Motion.FLAT


@given(st.floats(0, 1e15), counts)
def test_a_constant_is_no_trend(value, count):
    assert fit(line(0, count, start=value)).motion is Motion.FLAT


@given(st.integers(0, 10**6), slopes)
def test_the_line_lies_within_the_bounds_under_noise(seed, slope):
    trend = fit(noisy(line(slope, 48), slope * 12 * 2, seed))
    assert trend.motion is Motion.RISING
    width = trend.high_rate - trend.low_rate
    assert trend.low_rate - width <= slope <= trend.high_rate + width


@given(st.lists(st.floats(1, 500), min_size=FEWEST_POINTS, max_size=48), slopes)
def test_gaps_do_not_bend_a_line(lengths, slope):
    at, points = 1.7e9, []
    for length in lengths:
        at += length
        points.append((at, slope * (at - 1.7e9)))
    assert fit(points).rate == pytest.approx(slope, rel=1e-5)


def test_a_figure_that_grows_by_steps_grows():
    points = [(12.0 * number, 1024.0 * MIB * (number // 8)) for number in range(48)]
    trend = fit(points)
    assert trend.motion is Motion.RISING
    assert trend.rate == pytest.approx(1024 * MIB / 96, rel=0.15)
    assert trend.steps == 0


def test_two_jumps_and_nothing_between_are_no_trend():
    points = [(12.0 * number, 1024.0 * MIB * ((number > 10) + (number > 30))) for number in range(48)]
    assert fit(points) == Trend(Motion.FLAT, 0.0, 0.0, 0.0, 2)


def test_a_fall_is_told_as_one():
    assert fit(line(-MIB, 48)).motion is Motion.FALLING
    assert fit(line(-MIB, 48)).reversed.motion is Motion.RISING
    turned = Trend(Motion.RISING, 2, 1, 3).reversed
    assert (turned.rate, turned.low_rate, turned.high_rate) == (-2, -3, -1)


@pytest.mark.parametrize("count", range(FEWEST_POINTS))
def test_too_few_points_are_no_trend(count):
    assert fit(line(MIB, count)).motion is Motion.TOO_FEW
