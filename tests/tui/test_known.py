"""What is known and chosen: the selection follows the samples, and what is not there cannot be selected."""

import dataclasses

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.thresholds import Thresholds
from dmtui.tui.known import Known
from dmtui.tui.state import Choices
from dmtui.tui.stream import Stream
from tests.tui import samples

GOOD = samples.docker_pool()
FULL = dataclasses.replace(
    GOOD, name="full", data=dataclasses.replace(GOOD.data, used_bytes=GOOD.data.total_bytes), devices=()
)


def known(pool_name=None):
    return Known(Stream(None, lambda _: None, None, lambda: samples.NOW), Thresholds(), Choices(), pool_name)


def fed(*pools, pool_name=None):
    made = known(pool_name)
    sample = samples.sample(*pools)
    made.take_in(sample)
    made.keep_selection(sample)
    return made


def test_the_worst_pool_is_selected_where_none_was_asked_for():
    assert fed(GOOD, FULL).pool_name == "full"


def test_a_pool_that_was_asked_for_stays_selected_while_it_is_there():
    made = fed(GOOD, FULL, pool_name=GOOD.name)
    assert made.pool.name == GOOD.name
    assert made.keep_selection(samples.sample(GOOD)) == (False, "")


def test_a_pool_that_is_gone_is_named_and_another_selected():
    made = fed(GOOD, FULL)
    assert made.keep_selection(samples.sample(GOOD)) == (True, "full")
    assert made.pool_name == GOOD.name


def test_only_another_pool_that_is_there_can_be_selected():
    made = fed(GOOD, FULL)
    assert not made.choose_pool("nowhere")
    assert not made.choose_pool("full")
    assert made.choose_pool(GOOD.name)
    assert made.pool.name == GOOD.name


def test_nothing_can_be_selected_before_the_first_sample():
    assert not known().choose_pool(GOOD.name)


def test_a_device_has_a_trail_from_the_moment_it_is_selected():
    made = fed(GOOD)
    made.choose_device(GOOD.devices[0].name)
    assert made.device_trail.newest_at == samples.NOW


def test_alerts_of_the_selected_pool_are_unseen_until_they_are_acknowledged():
    made = fed(GOOD, FULL)
    made.take_in(samples.sample(GOOD, FULL, at=samples.NOW + 1))
    assert made.unseen
    assert made.notice.alert.pool == "full"
    made.acknowledge(samples.NOW + 2)
    assert not made.unseen


def test_a_poll_that_failed_changes_nothing_but_the_freshness():
    made = fed(GOOD)
    assert made.take_in(PollFailed(samples.NOW + 1, "no")) == ()
    assert made.pool.name == GOOD.name
    assert made.stream.freshness.error == "no"
