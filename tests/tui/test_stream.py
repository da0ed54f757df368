"""Freshness, history and the registry of actions: rules without a screen."""

import pytest

from dmtui.monitor.poller import PollFailed
from dmtui.tui.actions import ACTIONS, Risk, Scope, Situation, allowed, bindings
from dmtui.tui.freshness import Flow, judge
from dmtui.tui.history import KEPT_POOLS, KEPT_SAMPLES, POINT_SECONDS, History
from tests.tui import samples

NOW = samples.NOW
SAMPLE = samples.sample(samples.docker_pool())
FAILURE = PollFailed(NOW, "x: broken")


def flow(now=NOW, interval=1.0, sample=SAMPLE, failure=None, waiting_since=None, paused=False):
    return judge(now, interval, sample=sample, failure=failure, waiting_since=waiting_since, paused=paused)


class TestFreshness:
    def test_nothing_yet(self):
        assert flow(sample=None).flow is Flow.WAITING

    def test_live_also_while_a_poll_takes_its_time(self):
        assert flow(NOW + 2.9, waiting_since=NOW).flow is Flow.LIVE

    def test_late_after_three_intervals_in_flight(self):
        late = flow(NOW + 13, waiting_since=NOW + 1)
        assert (late.flow, late.silent_seconds, late.age_seconds, late.stale) == (Flow.LATE, 12, 13, True)

    def test_a_fast_pace_is_not_late_within_a_second(self):
        assert flow(NOW + 0.9, interval=0.1, waiting_since=NOW).flow is Flow.LIVE

    def test_a_slow_pace_is_late_after_ten_seconds_and_not_after_minutes(self):
        assert flow(NOW + 11, interval=60, waiting_since=NOW).flow is Flow.LATE

    def test_an_error_makes_old_figures_stale(self):
        failing = flow(failure=FAILURE)
        assert (failing.flow, failing.error, failing.stale) == (Flow.FAILING, "x: broken", True)

    def test_pause_is_no_fault(self):
        paused = flow(NOW + 95, paused=True)
        assert (paused.flow, paused.age_seconds, paused.stale) == (Flow.PAUSED, 95, False)

    def test_a_hanging_poll_outranks_pause_and_error(self):
        assert flow(NOW + 20, failure=FAILURE, waiting_since=NOW, paused=True).flow is Flow.LATE

    def test_a_clock_that_was_set_back_makes_no_negative_age(self):
        assert flow(NOW - 500).age_seconds == 0


class TestHistory:
    def test_it_remembers_shares_and_gaps(self):
        history = History()
        for step, pool in enumerate((samples.docker_pool(0.25), samples.failed_pool())):
            history.add(samples.sample(pool, at=NOW + POINT_SECONDS * step))
        trend = history.data("docker-8:1-4718594-pool")
        assert trend.fractions == (pytest.approx(0.25), None)
        assert trend.seconds == POINT_SECONDS

    def test_polls_of_the_same_few_seconds_are_one_point_and_the_newest_counts(self):
        history = History()
        for step in range(POINT_SECONDS):
            history.add(samples.sample(samples.docker_pool(0.25 + step / 100), at=NOW + step))
        trend = history.data("docker-8:1-4718594-pool")
        assert trend.fractions == (pytest.approx(0.29, abs=0.001),)
        history.add(samples.sample(samples.docker_pool(0.5), at=NOW + POINT_SECONDS))
        assert len(history.data("docker-8:1-4718594-pool").fractions) == 2

    def test_it_is_bounded(self):
        import dataclasses

        history = History()
        for step in range(KEPT_SAMPLES + 50):
            history.add(samples.sample(samples.lvm_pool(), at=NOW + POINT_SECONDS * step))
        assert len(history.data("vg0-thin-tpool").fractions) == KEPT_SAMPLES
        for number in range(KEPT_POOLS + 5):
            history.add(samples.sample(dataclasses.replace(samples.lvm_pool(), name=f"p{number}")))
        assert history.data("vg0-thin-tpool").fractions == ()
        assert len(history.data(f"p{KEPT_POOLS + 4}").fractions) == 1


class TestActions:
    def test_names_are_unique_and_every_one_has_a_key_a_title_and_a_sentence(self):
        assert len({action.id for action in ACTIONS}) == len(ACTIONS)
        for action in ACTIONS:
            assert action.shown_key
            assert action.title
            assert action.help.endswith(".")

    def test_no_key_means_two_things_at_once_in_one_place(self):
        for scope in Scope:
            for situation in (Situation(has_pools=True), Situation(has_pools=True, paused=True)):
                keys = [k for a in ACTIONS if a.scope is scope and allowed(a.id, situation) for k in a.keys]
                assert len(keys) == len(set(keys))

    def test_bindings_have_ids_by_which_a_keymap_finds_them(self):
        ids = [binding.id for scope in Scope for binding in bindings(scope)]
        assert len(ids) == len(set(ids))
        assert {"quit", "pause", "filter", "cursor_down"} <= set(ids)

    def test_read_only_refuses_what_changes_something(self, monkeypatch):
        import dataclasses

        from dmtui.tui import actions

        risky = dataclasses.replace(ACTIONS[0], id="remove", risk=Risk.DESTROYS)
        monkeypatch.setitem(actions._BY_ID, "remove", risky)
        assert allowed("remove", Situation(read_only=True)) is False
        assert allowed("remove", Situation()) is True
        assert allowed("quit", Situation(read_only=True)) is True

    def test_filter_and_sort_need_something_to_work_on(self):
        assert allowed("filter", Situation()) is False
        assert allowed("sort", Situation(has_pools=True)) is True
