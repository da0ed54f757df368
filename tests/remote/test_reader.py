"""What comes from another machine is taken apart: whole lines of bounded length, samples, and what is none."""

import dataclasses
import json

import pytest

from dmtui.remote.errors import RemoteError
from dmtui.remote.ourtime import OurTime
from dmtui.remote.reach import Reach
from dmtui.remote.reader import MOST_CHATTER_LINES, LineSplitter, SampleReader
from tests.remote.fakessh import broken
from tests.tui import samples

SAMPLE = samples.sample(samples.docker_pool())
LINE = SAMPLE.to_json().encode()


@pytest.fixture
def reader():
    return SampleReader(Reach("web1"), OurTime())


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
def test_lines_are_whole_however_they_come(size):
    splitter, found = LineSplitter("web1"), []
    content = b"one\n\nthree\nfo"
    for start in range(0, len(content), size):
        found += splitter.lines_of(content[start : start + size])
    assert found == [b"one", b"", b"three"]


@pytest.mark.parametrize("content", [b"x" * 11, b"x" * 11 + b"\n", b"ok\n" + b"x" * 11])
def test_a_line_has_an_end(content):
    with pytest.raises(RemoteError, match="more than 10 bytes"):
        LineSplitter("web1", 10).lines_of(content)


def test_an_endless_line_is_not_kept():
    splitter = LineSplitter("web1", 100)
    splitter.lines_of(b"x" * 60)
    with pytest.raises(RemoteError):
        splitter.lines_of(b"x" * 60)


def test_a_sample_is_a_sample(reader):
    assert reader.take(LINE, samples.NOW) == SAMPLE


def test_what_the_shell_says_first_is_passed_over(reader):
    assert reader.take(b"Welcome!", samples.NOW) is None
    assert reader.take(b"", samples.NOW) is None
    assert reader.take(LINE, samples.NOW) == SAMPLE
    assert reader.chatter == "Welcome!"


def test_but_not_for_ever(reader):
    for _ in range(MOST_CHATTER_LINES):
        reader.take(b"la", samples.NOW)
    with pytest.raises(RemoteError, match="what is no sample: 'la'"):
        reader.take(b"la", samples.NOW)


def test_nor_between_samples(reader):
    reader.take(LINE, samples.NOW)
    with pytest.raises(RemoteError, match="what is no sample") as caught:
        reader.take(b"\x1b[2J \xff what", samples.NOW)
    assert str(caught.value).isprintable()
    assert "ssh web1 dmtui watch --format json --count 1" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        broken(SAMPLE, format=2),
        broken(SAMPLE, quantum=1),
        broken(SAMPLE, pools=7),
        '{"format":1,"taken_at":',
        '{"format":' + "[" * 100_000,
        broken(SAMPLE, machine="x" * 1_000_000, taken_at="now" * 100_000),
    ],
    ids=["format", "field", "kind", "cut", "deep", "long"],
)
def test_a_sample_that_cannot_be_read_is_one_of_another_version(reader, line):
    with pytest.raises(RemoteError, match="cannot read") as caught:
        reader.take(line.encode(), samples.NOW)
    assert "`ssh web1 dmtui --version`" in str(caught.value)
    assert caught.value.lasting
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x1b]0;owned\x07", "\x9b2J", "a\nb\rc", "\u202eabc", "\ud800", "\x7f"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_no_text_of_a_sample_keeps_a_character_that_moves_the_cursor(reader, evil, ascii_only):
    fields = json.loads(LINE)

    def spoilt(value):
        if isinstance(value, str):
            return value + evil
        if isinstance(value, list):
            return [spoilt(each) for each in value]
        return {key: spoilt(each) for key, each in value.items()} if isinstance(value, dict) else value

    line = json.dumps(spoilt(fields), ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "surrogatepass")
    sample = reader.take(line, samples.NOW)
    assert sample.pools[0].owner.startswith("docker")
    assert len(all_texts(sample)) > 20
    assert all(text.isprintable() for text in all_texts(sample))


def all_texts(value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for each in value for text in all_texts(each)]
    if dataclasses.is_dataclass(value):
        return [text for field in dataclasses.fields(value) for text in all_texts(getattr(value, field.name))]
    return []


@pytest.mark.parametrize("moment", [-1.0, 1e15])
def test_a_moment_that_has_no_date_is_refused(reader, moment):
    with pytest.raises(RemoteError, match="clock"):
        reader.take(broken(SAMPLE, taken_at=moment).encode(), samples.NOW)


def at(moment: float):
    return dataclasses.replace(SAMPLE, taken_at=moment)


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0, 0.3])
def test_moments_are_by_our_clock_whatever_theirs_shows(ahead):
    ours = OurTime()
    told = [ours.restated(at(1000.0 + second + ahead), 1000.2 + second).taken_at for second in range(5)]
    assert told == pytest.approx([1000.2, 1001.2, 1002.2, 1003.2, 1004.2])


def test_what_was_held_up_on_its_way_is_as_old_as_it_is():
    ours = OurTime()
    for second in range(3):
        ours.restated(at(1000.0 + second), 1000.0 + second)
    assert [ours.restated(at(1000.0 + second), 1009.0).taken_at for second in (3, 4, 9)] == [1003.0, 1004.0, 1009.0]


def test_a_clock_there_that_is_set_back_is_followed_and_nothing_runs_backwards():
    ours = OurTime()
    told = [ours.restated(at(1000.0 + second), 1000.0 + second).taken_at for second in range(10)]
    told += [ours.restated(at(400.0 + second), 1000.0 + second).taken_at for second in range(10, 40)]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1039.0)


def test_a_clock_here_that_is_set_back_is_followed():
    ours = OurTime()
    ours.restated(at(5000.0), 5000.0)
    assert ours.restated(at(5001.0), 1000.0).taken_at == pytest.approx(1000.0)
