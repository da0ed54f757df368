"""Waiting for writes to a file: heard at once, told again while it may not be whole, and timed where none are heard."""

from __future__ import annotations

import threading
import time

import pytest

from dmtui.machine.emulated import written
from dmtui.machine.emulated.written import LOOK_SECONDS, Writes


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"begun")
    return path


def took(writes: Writes, seconds: float) -> float:
    began = time.monotonic()
    writes.wait(seconds)
    return time.monotonic() - began


def test_a_write_ends_the_wait(log):
    with Writes(log) as writes:
        threading.Timer(0.3, lambda: log.write_bytes(b"more")).start()
        assert 0.25 < took(writes, 20.0) < 10.0


def test_a_write_before_the_wait_is_not_missed(log):
    with Writes(log) as writes:
        log.write_bytes(b"more")
        assert took(writes, 20.0) < 10.0


def test_after_a_write_it_is_looked_once_more_in_case_it_was_not_whole_yet(log):
    with Writes(log) as writes:
        log.write_bytes(b"more")
        writes.wait(20.0)
        assert took(writes, 20.0) < 10.0
        assert took(writes, 3 * LOOK_SECONDS) >= 3 * LOOK_SECONDS * 0.99


def test_a_file_that_is_written_all_the_time_is_looked_at_now_and_then(log):
    stopped = threading.Event()

    def write():
        while not stopped.wait(0.002):
            log.write_bytes(b"more")

    writer = threading.Thread(target=write)
    writer.start()
    with Writes(log) as writes:
        waits = [took(writes, 20.0) for _ in range(4)]
    stopped.set()
    writer.join()
    assert min(waits[1:]) > LOOK_SECONDS * 0.9


def test_silence_lasts_as_long_as_was_said(log):
    with Writes(log) as writes:
        assert 0.29 < took(writes, 0.3)


@pytest.mark.parametrize("lacking", ["the file", "inotify", "the C library", "the wish"])
def test_where_nothing_can_be_heard_it_is_looked_now_and_then(log, monkeypatch, lacking):
    if lacking == "inotify":
        monkeypatch.setattr(written, "_library", object)

    def no_library():
        raise OSError("cannot be opened")

    if lacking == "the C library":
        monkeypatch.setattr(written, "_library", no_library)
    path = log.with_name("gone") if lacking == "the file" else log
    with Writes(path, hearing=lacking != "the wish") as writes:
        assert LOOK_SECONDS * 0.9 < took(writes, 20.0) < 10.0
