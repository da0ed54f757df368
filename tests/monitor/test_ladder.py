"""A ladder never flaps: within the gap between up and down nothing changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.monitor.ladder import NEVER, Ladder
from dmtui.monitor.severity import Severity

LADDER = Ladder.of_percent((75, 85, 92), 2)
percents = st.floats(0, 100)
severities = st.sampled_from(Severity)


@pytest.mark.parametrize(
    ("value", "present", "then"),
    [
        (74.9, "INFO", "INFO"), (75, "INFO", "WATCH"), (92, "INFO", "CRIT"), (90.5, "CRIT", "CRIT"),
        (89.9, "CRIT", "WARN"), (73, "WATCH", "WATCH"), (72.9, "CRIT", "INFO"), (NEVER, "CRIT", "INFO"),
    ],
)  # fmt: skip
def test_up_at_the_threshold_and_down_two_points_below_it(value, present, then):
    assert LADDER.severity(value, Severity[present]) is Severity[then]


def test_of_time_less_is_worse():
    ladder = Ladder.of_hours((24, 1))
    assert [ladder.severity(-hours, Severity.INFO).name for hours in (25, 24, 1.1, 1, 0)] == [
        "INFO", "WARN", "WARN", "CRIT", "CRIT",
    ]  # fmt: skip
    assert ladder.severity(-29, Severity.WARN) is Severity.WARN
    assert ladder.severity(-31, Severity.WARN) is Severity.INFO


@given(percents, severities)
def test_what_a_figure_has_come_to_it_stays_at(value, present):
    reached = LADDER.severity(value, present)
    assert LADDER.severity(value, reached) is reached


@given(st.floats(0, 98), severities, st.lists(st.floats(0, 1.999), min_size=1))
def test_a_figure_that_moves_by_less_than_the_gap_goes_up_at_the_most_and_never_down_again(base, present, wobbles):
    reached = LADDER.severity(base, present)
    for wobble in wobbles:
        after = LADDER.severity(base + wobble, reached)
        assert after >= reached
        reached = after


@given(percents, percents, severities)
def test_more_is_never_milder(one, other, present):
    low, high = sorted((one, other))
    assert LADDER.severity(low, present) <= LADDER.severity(high, present)
