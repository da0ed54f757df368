"""A replay: the recorded pace, rest while nobody takes, the end, and any place one likes."""

import pytest

from dmtui.monitor.recorder import Header, Recorder, RecordingError
from dmtui.monitor.recording import Recording
from dmtui.monitor.replay import MOST_WAIT_SECONDS, Replay
from tests.monitor import made
from tests.monitor.made import NOW


@pytest.fixture
def player(tmp_path):
    """A replay of samples at those offsets from NOW."""
    opened = []

    def make(*offsets, interval=1.0, at_end=lambda: None):
        recorder = Recorder(str(tmp_path / "r"), Header("1", "emulated", "m", NOW, 1.0), force=True)
        for offset in offsets:
            recorder.write(made.sample(at=NOW + offset))
        recorder.close()
        opened.append(Recording.open(str(tmp_path / "r")))
        return Replay(opened[-1], lambda: interval, at_end)

    yield make
    for recording in opened:
        recording.close()


def taken(player, count):
    return [round(player.take().taken_at - NOW, 3) for _ in range(count)]


def test_at_the_recorded_interval_it_takes_sample_after_sample(player):
    assert taken(player(0, 1.003, 1.998, 3.01, 4.0), 5) == [0, 1.003, 1.998, 3.01, 4.0]


def test_a_slower_poll_leaves_samples_out_and_a_faster_one_repeats_them(player):
    assert taken(player(*range(10), interval=3.0), 4) == [0, 4, 7, 9]
    assert taken(player(*range(10), interval=0.5), 5) == [0, 0, 1, 1, 2]


def test_what_is_left_out_in_playing_is_told_beside_the_sample_that_is_taken(player):
    playing = player(*range(10), interval=3.0)
    sample = playing.take()
    assert playing.lead_to(sample) == ()
    for passed in ([1, 2, 3], [5, 6], [8]):
        sample = playing.take()
        assert [each.taken_at - NOW for each in playing.lead_to(sample)] == passed
        assert playing.lead_to(sample) == ()


def test_a_gap_is_not_waited_for(player):
    assert taken(player(0, 1, 3600, 3601), 4) == [0, 1, 3600, 3601]
    assert taken(player(0, 60, 120), 3) == [0, 60, 120]
    short = int(MOST_WAIT_SECONDS)
    assert taken(player(0, short), short + 1) == [0] * short + [short]


def test_at_the_end_the_last_sample_stays_and_the_end_is_told(player):
    told = []
    playing = player(0, 1, at_end=lambda: told.append(1))
    assert not playing.ended
    assert taken(playing, 4) == [0, 1, 1, 1]
    assert playing.ended
    assert len(told) == 3


def test_its_clock_stands_at_the_moment_that_is_played(player):
    playing = player(0, 1, 2)
    assert playing.clock() == NOW
    taken(playing, 2)
    assert playing.clock() == NOW + 1
    taken(playing, 5)
    assert playing.clock() == NOW + 2


def test_it_goes_on_from_where_it_was_put(player):
    playing = player(*range(10), interval=1.0)
    taken(playing, 8)
    playing.seek(3)
    assert (playing.index, playing.clock(), playing.ended) == (3, NOW + 3, False)
    assert taken(playing, 2) == [3, 4]
    playing.seek(99)
    assert taken(playing, 2) == [9, 9]
    playing.seek(-5)
    assert taken(playing, 1) == [0]


def test_a_clock_that_was_set_back_is_followed(player):
    assert taken(player(0, 1, 2, -50, -49), 5) == [0, 1, 2, -50, -49]


def test_a_recording_without_samples_cannot_be_played(player):
    with pytest.raises(RecordingError, match="has no samples"):
        player()


def test_a_broken_sample_is_told_and_passed(player, tmp_path):
    playing = player(0, 1, 2)
    content = (tmp_path / "r").read_bytes()
    broken = content.replace(
        b'"taken_at":1784900001.0,"took_seconds":0.004', b'"taken_at":1784900001.0,"took_seconds":"no."'
    )
    assert len(broken) == len(content)
    (tmp_path / "r").write_bytes(broken)
    assert taken(playing, 1) == [0]
    with pytest.raises(RecordingError):
        playing.take()
    assert taken(playing, 1) == [2]
