"""A feed brings samples over ssh, says why when it cannot, tries again, and leaves no ssh behind."""

import os
import signal
import time

import pytest

from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample
from dmtui.remote.feed import LONG_PAUSE_SECONDS, Feed
from dmtui.remote.reach import Reach
from tests.remote.fakessh import until
from tests.tui import samples


@pytest.fixture
def opened(ssh):
    """Opens a feed of a host, and ends it: with what it has brought."""
    feeds = []

    def open_feed(host, interval=1.0, pauses=(0.05,)):
        came = []
        feed = Feed(Reach(host), came.append, interval, pauses_seconds=pauses)
        feeds.append(feed)
        feed.start()
        return feed, came

    yield open_feed
    for feed in feeds:
        feed.stop()
        assert feed.close(5.0)


def good(came):
    return [each for each in came if isinstance(each, Sample)]


def bad(came):
    return [each for each in came if isinstance(each, PollFailed)]


def test_samples_come_as_they_are_sent(opened):
    feed, came = opened("steady")
    until(lambda: len(good(came)) >= 3, what="three samples")
    assert not bad(came)
    assert came[0].pools == (samples.docker_pool(),)
    assert feed.error is None


def test_ssh_is_asked_for_samples_at_the_interval(opened, ssh):
    _, came = opened("steady", interval=2.5)
    until(lambda: came, what="a sample")
    assert ssh.calls[0][-3:] == ["--", "steady", "dmtui --machine=kernel watch --format json --interval 2.5"]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("refuses", "does not let us in"),
        ("unknown", "its key is not known here"),
        ("bare", "install dmtui there"),
        ("older", "does not understand us"),
        ("sudo", "sudo there asks for a password"),
        ("plain", "take --remote-command 'sudo -n dmtui'"),
        ("newer", "cannot read"),
        ("endless", "a line of more than"),
    ],
)
def test_what_only_somebody_can_mend_is_not_tried_again_soon(opened, ssh, host, words):
    feed, came = opened(host)
    until(lambda: came, what="a failure")
    time.sleep(0.3)
    assert [words in each.message for each in bad(came)] == [True]
    assert came[0].retry_at - came[0].at == LONG_PAUSE_SECONDS
    assert len(ssh.pids) == 1
    assert feed.error.lasting
    assert feed.waiting_since is None


def test_a_try_can_be_asked_for(opened, ssh):
    feed, came = opened("refuses")
    until(lambda: len(came) == 1, what="a failure")
    feed.poll_now()
    until(lambda: len(came) == 2, what="another one")
    assert len(ssh.pids) == 2


def test_a_connection_that_dies_is_told_and_made_anew(opened, ssh):
    _, came = opened("dies")
    until(lambda: len(good(came)) >= 5, what="samples of two connections")
    assert [type(each) for each in came[:5]] == [Sample, Sample, Sample, PollFailed, Sample]
    assert "Broken pipe" in bad(came)[0].message
    assert len(ssh.pids) == 2


def test_the_pauses_grow_and_begin_anew_with_a_sample(opened):
    _, came = opened("nowhere", pauses=(0.01, 0.05, 0.1))
    until(lambda: len(came) >= 4, what="four failures")
    assert [round(each.retry_at - each.at, 2) for each in came[:4]] == [0.01, 0.05, 0.1, 0.1]
    _, came = opened("ends", pauses=(0.01, 7.0))
    until(lambda: len(bad(came)) >= 2, what="two failures")
    assert [round(each.retry_at - each.at, 2) for each in bad(came)[:2]] == [0.01, 0.01]


@pytest.mark.parametrize(
    ("host", "words"), [("garbage", "what is no sample"), ("chatter", "what is no sample: 'la la")]
)
def test_garbage_is_told_in_printable_words_and_ends_the_connection(opened, ssh, host, words):
    _, came = opened(host, pauses=(30.0,))
    until(lambda: bad(came), what="a failure")
    assert words in bad(came)[0].message
    assert bad(came)[0].message.isprintable()
    until(lambda: not ssh.alive, what="the end of ssh")


def test_escape_sequences_of_the_other_machine_are_spelled_out(opened):
    _, came = opened("evil", pauses=(30.0,))
    until(lambda: came, what="a failure")
    assert came[0].message.isprintable()
    assert "owned" in came[0].message


def test_a_shell_that_mutters_first_is_borne(opened):
    _, came = opened("mutters")
    until(lambda: len(good(came)) >= 2, what="samples")
    assert not bad(came)


def test_no_ssh_at_all_is_told(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    _, came = opened("steady")
    until(lambda: came, what="a failure")
    assert "there is no ssh in PATH" in came[0].message


def test_silence_is_due_after_an_interval(opened):
    feed, came = opened("once", interval=0.5)
    until(lambda: came, what="a sample")
    assert feed.waiting_since is None
    until(lambda: feed.waiting_since is not None, what="waiting")
    assert feed.waiting_since == pytest.approx(came[0].taken_at + 0.5, abs=0.3)


def test_a_pause_ends_ssh_and_going_on_begins_anew(opened, ssh):
    feed, came = opened("steady")
    until(lambda: came, what="a sample")
    feed.paused = True
    until(lambda: not ssh.alive, what="the end of ssh")
    count = len(came)
    time.sleep(0.2)
    assert len(came) <= count + 1
    assert not bad(came)
    feed.paused = False
    until(lambda: len(came) > count + 1, what="samples again")


def test_one_sample_can_be_asked_for_while_it_rests(opened, ssh):
    feed, came = opened("steady")
    until(lambda: came, what="a sample")
    feed.paused = True
    until(lambda: not ssh.alive, what="the end of ssh")
    count = len(came)
    feed.poll_now()
    until(lambda: len(came) > count and not ssh.alive, what="one sample and the end of ssh")
    time.sleep(0.2)
    assert len(came) == count + 1


def test_another_interval_is_another_connection(opened, ssh):
    feed, came = opened("steady", interval=1.0)
    until(lambda: came, what="a sample")
    for seconds in (2.0, 5.0, 10.0):
        feed.interval_seconds = seconds
    until(lambda: len(ssh.pids) == 2 and ssh.calls[1], what="another connection")
    assert ssh.calls[-1][-1].endswith("--interval 10")
    assert not bad(came)


@pytest.mark.parametrize("host", ["steady", "silent", "hangs", "endless", "chatter", "nowhere"])
def test_it_ends_quickly_and_with_its_ssh(opened, ssh, host):
    feed, _ = opened(host, pauses=(30.0,))
    until(lambda: ssh.pids, what="the start of ssh")
    time.sleep(0.2)
    began = time.monotonic()
    feed.stop()
    assert time.monotonic() - began < 0.1
    assert feed.close(5.0)
    assert time.monotonic() - began < 1.5
    until(lambda: not ssh.alive, 1.0, "the end of what ssh had started")  # killed with it, and gone a moment later


def test_a_stopped_process_ends_too(opened, ssh):
    feed, _ = opened("silent")
    until(lambda: ssh.alive, what="ssh")
    os.killpg(ssh.pids[0], signal.SIGSTOP)
    feed.stop()
    assert feed.close(5.0)
    until(lambda: not ssh.alive, 1.0, "the end of what ssh had started")  # killed with it, and gone a moment later


def test_it_waits_for_nothing_that_was_never_started(ssh):
    feed = Feed(Reach("steady"), print)
    feed.stop()
    assert feed.close(1.0)


def test_a_flood_is_taken_slowly(opened, ssh):
    _, came = opened("flood")
    time.sleep(1.0)
    assert 5 < len(good(came)) < 30
