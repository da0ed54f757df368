"""Alerts: when they begin, get worse, get better and end; that they do not flap; that they can be replayed."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmtui.monitor.alertrules import CALM_SECONDS, Rule, duration
from dmtui.monitor.alerts import GONE_AFTER_POLLS, AlertState, ChangeKind
from dmtui.monitor.forecast import Estimate, Forecaster, PoolForecast, Window
from dmtui.monitor.history import History
from dmtui.monitor.severity import Severity
from dmtui.monitor.thresholds import Thresholds
from tests.monitor import made
from tests.monitor.made import GIB, NOW


def play(*pools, step=1.0, thresholds=None, state=None, forecasts=()):
    """Step through samples of those pools (a tuple: several in one, None: none) and tell every change as words."""
    state = state or AlertState()
    told = []
    for number, at_once in enumerate(pools):
        present = () if at_once is None else at_once if isinstance(at_once, tuple) else (at_once,)
        foretold = {pool.name: forecasts[number] for pool in present} if forecasts else {}
        state, changes = state.step(made.sample(*present, at=NOW + number * step), foretold, thresholds)
        told += [(number, change.alert.rule, change.kind, change.alert.severity) for change in changes]
    return state, told


def only(state):
    (alert,) = state.alerts
    return alert


class TestPercentages:
    def test_a_healthy_pool_has_no_alerts(self):
        state, told = play(*[made.pool()] * 5)
        assert (state.alerts, told, state.worst) == ((), [], Severity.INFO)

    @pytest.mark.parametrize(
        ("data", "metadata", "rule", "severity"),
        [
            (0.75, 0, Rule.DATA, Severity.WATCH),
            (0.85, 0, Rule.DATA, Severity.WARN),
            (0.92, 0, Rule.DATA, Severity.CRIT),
            (0, 0.61, Rule.METADATA, Severity.WATCH),
            (0, 0.71, Rule.METADATA, Severity.WARN),
            (0, 0.81, Rule.METADATA, Severity.CRIT),
        ],
    )
    def test_a_share_is_told_with_the_second_poll_that_has_it(self, data, metadata, rule, severity):
        _, told = play(*[made.pool(data, metadata)] * 3)
        assert told == [(1, rule, ChangeKind.BEGAN, severity)]

    def test_one_poll_alone_is_nothing(self):
        _, told = play(made.pool(0.5), made.pool(0.95), made.pool(0.5), made.pool(0.95), made.pool(0.5))
        assert told == []

    def test_metadata_are_judged_above_the_reserve(self):
        pool = made.pool(metadata=0.58)
        assert pool.metadata.used_fraction > 0.61
        assert play(pool, pool)[1] == []

    def test_it_gets_worse_and_better_and_ends_two_points_below(self):
        fractions = [0.80] * 2 + [0.93] * 2 + [0.915] * 3 + [0.895] * 2 + [0.70] * 2
        state, told = play(*map(made.pool, fractions))
        assert [(number, kind, severity) for number, _, kind, severity in told] == [
            (1, ChangeKind.BEGAN, Severity.WATCH),
            (3, ChangeKind.WORSE, Severity.CRIT),
            (8, ChangeKind.BETTER, Severity.WARN),
            (10, ChangeKind.ENDED, Severity.WARN),
        ]
        assert state.alerts == ()

    def test_what_rises_in_two_polls_is_as_bad_as_the_milder_of_them(self):
        _, told = play(made.pool(0.80), made.pool(0.95), made.pool(0.95))
        assert [(number, severity) for number, _, _, severity in told] == [(1, Severity.WATCH), (2, Severity.CRIT)]

    def test_it_remembers_its_beginning_extremes_mean_and_count(self):
        state, _ = play(*map(made.pool, [0.80, 0.80, 0.84, 0.76]))
        alert = only(state)
        assert (alert.began_at, alert.last_at, alert.count, alert.lasted_seconds) == (NOW + 1, NOW + 3, 3, 2)
        assert (alert.low, alert.high, alert.value) == pytest.approx((76, 84, 76))
        assert alert.mean == pytest.approx(80)
        assert alert.text.startswith("data at 76.0 %, 25.77 GB free")

    def test_only_what_is_full_is_at_100_percent(self):
        state, _ = play(*[made.pool(0.99999)] * 2)
        assert "99.9 %" in only(state).text

    def test_what_is_unknown_leaves_an_alert_as_it_was(self):
        state, told = play(made.pool(0.95), made.pool(0.95), *[made.failed()] * 5)
        data = next(alert for alert in state.alerts if alert.rule is Rule.DATA)
        assert data.last_at == NOW + 1
        assert [rule for _, rule, _, _ in told] == [Rule.DATA, Rule.MODE]

    def test_thresholds_can_be_moved(self):
        limits = Thresholds(data_percent=(10, 20, 30), hysteresis_points=5, polls=1)
        _, told = play(*map(made.pool, [0.31, 0.26, 0.24]), thresholds=limits)
        assert [(number, kind) for number, _, kind, _ in told] == [(0, ChangeKind.BEGAN), (2, ChangeKind.BETTER)]

    @settings(max_examples=60, deadline=None)
    @given(st.floats(0, 0.98), st.lists(st.floats(0, 0.0199), max_size=40))
    def test_a_share_that_moves_by_less_than_two_points_never_flaps(self, base, wobbles):
        _, told = play(*[made.pool(base + wobble, 0) for wobble in wobbles])
        assert {kind for _, _, kind, _ in told} <= {ChangeKind.BEGAN, ChangeKind.WORSE}
        assert len(told) <= 3


class TestTimeToFull:
    def forecasts(self, *hours):
        base = Forecaster(History()).forecast(made.sample(made.pool()))["p"]
        for each in hours:
            estimates = () if each is None else (Estimate(Window.HOUR, each * 2400, each * 3600, each * 7200),)
            yield PoolForecast(dataclasses.replace(base.data, estimates=estimates), base.metadata, base.host)

    def told(self, *hours, step=1.0):
        return play(*[made.pool()] * len(hours), forecasts=list(self.forecasts(*hours)), step=step)

    def test_bounds_that_say_nothing_more_are_left_out(self):
        base = Forecaster(History()).forecast(made.sample(made.pool()))["p"]
        sure = dataclasses.replace(base.data, estimates=(Estimate(Window.HOUR, 1380, 1380, 1380),))
        state, _ = play(*[made.pool()] * 2, forecasts=[PoolForecast(sure, base.metadata, base.host)] * 2, step=1.0)
        assert only(state).text == "the data space is full in 23 min if the last 1 h go on"

    def test_under_a_day_is_warn_and_under_an_hour_crit(self):
        state, told = self.told(25, 25, 20, 20, 0.9, 0.9)
        assert [(number, severity) for number, _, _, severity in told] == [(3, Severity.WARN), (5, Severity.CRIT)]
        assert only(state).text == "the data space is full in 54 min (36 min to 1 h 48 min) if the last 1 h go on"
        assert (only(state).rule.unit, only(state).value) == ("h", 0.9)

    def test_it_ends_when_it_has_been_quiet_for_long_enough(self):
        _, told = self.told(20, 20, None, None, 20, *[None] * 6, step=CALM_SECONDS / 4)
        assert [(number, kind) for number, _, kind, _ in told] == [(1, ChangeKind.BEGAN), (9, ChangeKind.ENDED)]

    def test_a_window_alarms_nobody_about_what_it_does_not_reach(self):
        _, told = self.told(*[23.9, 23.9])
        assert [severity for _, _, _, severity in told] == [Severity.WARN]
        short = Estimate(Window.TEN_MINUTES, 3600 * 5, 3600 * 5, 3600 * 5)
        (base,) = self.forecasts(20)
        forecast = PoolForecast(dataclasses.replace(base.data, estimates=(short,)), base.metadata, base.host)
        assert play(*[made.pool()] * 3, forecasts=[forecast] * 3)[1] == []

    def test_a_pool_that_fills_up_is_announced_before_its_share_is(self):
        history = History()
        forecaster, state, told = Forecaster(history), AlertState(), []
        for number in range(900):
            sample = made.sample(made.pool(0.2 + 0.0007 * number), at=NOW + number)
            history.add(sample)
            state, changes = state.step(sample, forecaster.forecast(sample))
            told += [(number, change.alert.rule, change.alert.severity) for change in changes]
        assert told[0][1:] == (Rule.DATA_END, Severity.CRIT)
        assert told[0][0] < 320
        assert told[1][1:] == (Rule.DATA, Severity.WATCH)


class TestFacts:
    @pytest.mark.parametrize(
        ("mode", "words"),
        [
            ("out_of_data_space", "a write that needs one waits"),
            ("ro", "read-only"),
            ("Fail", "all its I/O fails"),
            ("Error", "cannot be asked"),
            ("strange", "mode is strange"),
        ],
    )
    def test_any_mode_but_rw_is_crit_at_once(self, mode, words):
        state, told = play(made.pool(), made.pool(mode=mode))
        assert told == [(1, Rule.MODE, ChangeKind.BEGAN, Severity.CRIT)]
        assert words in only(state).text

    def test_the_end_of_the_wait_is_another_alert_that_is_unseen_again(self):
        full = made.pool(mode="out_of_data_space")
        state, _ = play(full)
        state, _ = state.acknowledge(("p", Rule.MODE), NOW)
        state, told = play(dataclasses.replace(full, no_space_policy="error_if_no_space"), state=state)
        assert told == [(0, Rule.MODE, ChangeKind.OTHER, Severity.CRIT)]
        assert "fails" in only(state).text
        assert not only(state).acknowledged

    def test_a_kernel_that_tells_no_mode_is_no_alarm(self):
        assert play(*[made.pool(mode=None, needs_check=None)] * 3)[1] == []

    def test_back_to_rw_ends_it_at_once(self):
        _, told = play(made.pool(mode="ro"), made.pool())
        assert told[-1] == (1, Rule.MODE, ChangeKind.ENDED, Severity.CRIT)

    def test_needs_check_is_crit_and_holds_while_nothing_is_told(self):
        _, told = play(made.pool(needs_check=True), made.pool(needs_check=None), made.pool(needs_check=False))
        assert [(number, kind) for number, _, kind, _ in told] == [(0, ChangeKind.BEGAN), (2, ChangeKind.ENDED)]

    @pytest.mark.parametrize(
        ("changes", "severity", "words"),
        [
            ({"loop_file_deleted": True}, Severity.CRIT, "was deleted: it lives only while /dev/loop0 holds it"),
            ({"loop_file_missing": True}, Severity.WARN, "is not found at /graph/data"),
            ({"loop_file_also_on": ("/dev/loop5",)}, Severity.WARN, "attached twice: also as /dev/loop5"),
        ],
    )
    def test_a_loop_file_that_is_not_as_it_should_be(self, changes, severity, words):
        state, _ = play(made.pool(data_backing=made.backing(**changes)))
        assert (only(state).rule, only(state).severity) == (Rule.DATA_FILE, severity)
        assert words in only(state).text
        state, _ = play(made.pool(metadata_backing=made.backing(**changes)))
        assert only(state).rule is Rule.METADATA_FILE

    def test_a_suspended_pool_is_told_when_it_stays_so(self):
        _, told = play(made.pool(suspended=True), made.pool(), *[made.pool(suspended=True)] * 2)
        assert [(number, rule) for number, rule, _, _ in told] == [(3, Rule.SUSPENDED)]


class TestHost:
    def sparse(self, owed_gib, free_gib, **changes):
        backing = made.backing(loop_file_allocated_bytes=(100 - owed_gib) * GIB, host_free_bytes=free_gib * GIB)
        return made.pool(data_backing=backing, **changes)

    @pytest.mark.parametrize(
        ("owed", "free", "severity"),
        [(50, 51, None), (50, 49, Severity.WATCH), (50, 24, Severity.WARN), (50, 4, Severity.CRIT), (0, 0, None)],
    )
    def test_a_sparse_file_may_ask_for_more_than_its_host_has(self, owed, free, severity):
        state, _ = play(*[self.sparse(owed, free)] * 2)
        assert [alert.severity for alert in state.alerts] == ([severity] if severity else [])
        if severity:
            assert only(state).rule is Rule.HOST_DEBT
            assert "may still ask for 53.69 GB" in only(state).text

    def test_it_ends_when_the_pool_leaves_the_file(self):
        state, _ = play(*[self.sparse(50, 4)] * 2)
        disk = dataclasses.replace(made.backing(), loop_file=None, loop_file_size_bytes=None)
        state, told = play(*[made.pool(data_backing=disk, metadata_backing=disk)] * 2, state=state)
        assert [kind for _, _, kind, _ in told] == [ChangeKind.ENDED]


class TestPools:
    def test_pools_have_their_own_alerts_and_the_worst_comes_first(self):
        state, _ = play(*[(made.pool(0.8, name="a"), made.pool(mode="ro", name="b"))] * 2)
        assert [(alert.pool, alert.severity) for alert in state.alerts] == [("b", Severity.CRIT), ("a", Severity.WATCH)]
        assert [alert.rule for alert in state.of("a")] == [Rule.DATA]
        assert state.worst is Severity.CRIT

    def test_the_alerts_of_a_pool_that_is_gone_end(self):
        state, told = play(made.pool(mode="ro"), *[None] * (GONE_AFTER_POLLS + 1))
        assert told[-1] == (GONE_AFTER_POLLS, Rule.MODE, ChangeKind.ENDED, Severity.CRIT)
        assert state.alerts == ()

    def test_of_one_that_was_taken_down_to_be_mended_what_is_left_to_do_stays_once(self):
        broken = made.pool(0.95, mode="ro", needs_check=True)
        state, told = play(*[broken] * 2, *[None] * (GONE_AFTER_POLLS + 5))
        assert told[3:] == [
            (GONE_AFTER_POLLS + 1, Rule.MODE, ChangeKind.OTHER, Severity.WARN),
            (GONE_AFTER_POLLS + 1, Rule.NEEDS_CHECK, ChangeKind.ENDED, Severity.CRIT),
            (GONE_AFTER_POLLS + 1, Rule.DATA, ChangeKind.ENDED, Severity.CRIT),
        ]
        left = only(state)
        assert left.is_left_behind
        assert left.next_step.text == "check its metadata, bring it back"
        assert state.left_behind == (left,)

    def test_that_ends_when_the_pool_is_back_and_well(self):
        state, _ = play(made.pool(mode="Fail"), *[None] * GONE_AFTER_POLLS)
        back, told = play(made.pool(), state=state)
        assert (back.alerts, [kind for _, _, kind, _ in told]) == ((), [ChangeKind.ENDED])
        worse, told = play(made.pool(mode="Fail"), state=state)
        assert [kind for _, _, kind, _ in told] == [ChangeKind.WORSE]
        assert not only(worse).is_left_behind

    def test_that_can_be_seen_and_stays_until_the_pool_is_back(self):
        state, _ = play(made.pool(mode="Fail"), *[None] * GONE_AFTER_POLLS)
        state, _ = state.acknowledge(only(state).key, NOW + 9)
        state, told = play(None, None, state=state)
        assert (only(state).acknowledged, told) == (True, [])

    def test_a_pool_that_cannot_be_read_for_a_while_keeps_them(self):
        state, _ = play(made.pool(mode="ro"))
        for number in range(10):
            unread = made.sample(at=NOW + number, problems=("device p: cannot be read",))
            state, changes = state.step(unread, {})
            assert changes == ()
        assert only(state).rule is Rule.MODE


class TestAcknowledging:
    def test_it_is_told_once_and_forgotten_when_it_gets_worse(self):
        state, _ = play(*[made.pool(0.80)] * 2)
        state, (change,) = state.acknowledge(("p", Rule.DATA), NOW + 5)
        assert (change.kind, change.at, change.alert.acknowledged) == (ChangeKind.ACKNOWLEDGED, NOW + 5, True)
        assert state.acknowledge(("p", Rule.DATA), NOW + 6) == (state, ())
        state, _ = play(*[made.pool(0.80)] * 3, state=state)
        assert only(state).acknowledged
        state, _ = play(*[made.pool(0.95)] * 2, state=state)
        assert not only(state).acknowledged
        state, _ = state.acknowledge(("p", Rule.DATA), NOW + 7)
        state, _ = play(*[made.pool(0.80)] * 2, state=state)
        assert (only(state).severity, only(state).acknowledged) == (Severity.WATCH, True)

    def test_what_is_not_there_cannot_be_acknowledged(self):
        assert AlertState().acknowledge(("p", Rule.DATA), NOW) == (AlertState(), ())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["rw", "ro", "Fail"])), max_size=25))
def test_the_same_samples_give_the_same_alerts_and_every_alert_begins_before_it_ends(figures):
    pools = [made.pool(data, metadata, mode=mode) for data, metadata, mode in figures]
    first, told = play(*pools)
    again, _ = play(*pools)
    assert first == again
    on = set()
    for _, rule, kind, _ in told:
        assert (rule in on) is (kind is not ChangeKind.BEGAN)
        on.add(rule)
        if kind is ChangeKind.ENDED:
            on.remove(rule)
    assert {alert.rule for alert in first.alerts} == on


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (6000, "1 h 40 min"), (3600, "1 h"), (3e5, "3 d 11 h"), (1e300, "years")],
)
def test_durations_have_one_or_two_units(seconds, words):
    assert duration(seconds) == words


class TestTheFirstLook:
    """What was so already when the machine was first looked at did not begin then."""

    @staticmethod
    def found(*pools):
        """The rules of the changes that were found so, and of those that were not."""
        state, told = AlertState(), {True: [], False: []}
        for number, pool in enumerate(pools):
            state, changes = state.step(made.sample(*([pool] if pool else []), at=NOW + number), {})
            for change in changes:
                told[change.found].append((number, change.alert.rule, change.kind))
        return told[True], told[False]

    def test_what_is_on_from_the_first_poll_is_found(self):
        found, began = self.found(*[made.pool(0.95)] * 3)
        assert (found, began) == ([(1, Rule.DATA, ChangeKind.BEGAN)], [])

    def test_a_fact_of_the_first_poll_is_found(self):
        found, began = self.found(*[made.pool(mode="Fail")] * 2)
        assert (found, began) == ([(0, Rule.MODE, ChangeKind.BEGAN)], [])

    def test_what_comes_later_begins(self):
        found, began = self.found(made.pool(0.5), *[made.pool(0.95)] * 3)
        assert (found, began) == ([], [(2, Rule.DATA, ChangeKind.BEGAN)])

    def test_what_was_found_and_gets_worse_is_a_change(self):
        found, began = self.found(*[made.pool(0.87)] * 2, *[made.pool(0.95)] * 2)
        assert (found, began) == ([(1, Rule.DATA, ChangeKind.BEGAN)], [(3, Rule.DATA, ChangeKind.WORSE)])

    def test_a_pool_that_appears_while_one_watches_is_not_found(self):
        found, began = self.found(None, made.pool(mode="Fail"))
        assert (found, began) == ([], [(1, Rule.MODE, ChangeKind.BEGAN)])
