"""The commands record and replay: what they write, print, refuse, and leave when they are killed."""

import gzip
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

from dmtui.machine.errors import DeviceBusyError
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.recording import Recording
from dmtui.monitor.secondhand import facts_of_recording


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    for key in [key for key in os.environ if key.startswith("DMTUI_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def populated(starter):
    """Options for an emulated machine with a pool and devices."""
    return ["--machine", "emulated", "--emulated-dir", str(starter.directory)]


@pytest.fixture(params=["r.jsonl", "r.jsonl.gz"])
def file(request, tmp_path):
    return tmp_path / request.param


def test_what_was_recorded_is_replayed_as_watch_would_have_printed_it(run, populated, file):
    status, out, err = run(*populated, "record", file, "--count", 3, "--interval", 0.1)
    assert (status, out, err) == (0, "", f"dmtui: 3 samples are in {file}\n")
    status, out, err = run("replay", file, "--format", "text")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 3
    watched = run(*populated, "watch", "--count", 1)[1]
    assert lines[0].split(" ", 1)[1] == watched.strip().split(" ", 1)[1]


def test_what_the_machine_is_made_of_is_recorded_with_it(run, populated, file):
    assert run(*populated, "record", file, "--count", 1)[0] == 0
    with Recording.open(str(file)) as recording:
        facts = facts_of_recording(recording)
    assert facts.kind == "emulated"
    assert facts.thin_pool_version
    assert facts.python_version == platform.python_version()
    assert [loop.device for loop in facts.loops] == ["/dev/loop0", "/dev/loop1"]
    assert facts.problems == ()


def test_a_file_that_is_there_is_written_over_with_force_only(run, populated, file):
    file.write_text("precious")
    status, _, err = run(*populated, "record", file, "--count", 1)
    assert status == 2
    assert err == f"dmtui: {file}: is there already; name a new file, or take --force to write over it\n"
    assert file.read_text() == "precious"
    assert run(*populated, "record", file, "--count", 1, "--force")[0] == 0
    assert run("replay", file, "--format", "text")[1].count("\n") == 1


def test_a_machine_that_takes_longer_than_the_interval_is_recorded_all_the_same(run, populated, file, monkeypatch):
    take, paused = Discoverer.take, []

    def slowly(self):
        time.sleep(0.15)
        return take(self)

    monkeypatch.setattr(Discoverer, "take", slowly)
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: (paused.append(seconds), sleep(seconds)))
    assert run(*populated, "record", file, "--count", 4, "--interval", 0.1)[0] == 0
    assert min(paused) >= 0


def test_a_machine_that_cannot_be_read_costs_no_recording(run, populated, file, monkeypatch):
    file.write_text("precious")

    def take(_):
        raise DeviceBusyError("device-mapper", "does not answer", "look at dmesg")

    monkeypatch.setattr(Discoverer, "take", take)
    assert run(*populated, "record", file, "--force")[0] == 1
    assert file.read_text() == "precious"


def test_a_poll_that_fails_is_told_and_leaves_a_gap(run, populated, file, monkeypatch):
    right, polls = Discoverer.take, []

    def take(discoverer):
        polls.append(1)
        if len(polls) == 2:
            raise DeviceBusyError("device-mapper", "does not answer", "look at dmesg")
        return right(discoverer)

    monkeypatch.setattr(Discoverer, "take", take)
    status, _, err = run(*populated, "record", file, "--count", 2, "--interval", 0.1)
    assert status == 0
    assert err.splitlines()[0] == "dmtui: device-mapper: does not answer; look at dmesg"
    with Recording.open(str(file)) as recording:
        assert len(recording) == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_however_it_ends_the_file_is_readable(run, populated, file, how):
    in_order = how is not signal.SIGKILL
    command = [sys.executable, "-m", "dmtui", *populated, "record", str(file), "--interval", "0.1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not file.exists() or file.stat().st_size < 6000:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(how)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == (0 if in_order else -how)
    status, out, err = run("replay", file, "--format", "text")
    assert status == 0
    assert out.count("\n") >= 1
    if in_order:
        assert told == f"dmtui: {out.count(chr(10))} samples are in {file}\n"
        assert err == ""


def test_a_recording_is_a_file(run, populated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(*populated, "record", "-", "--count", 1)
    assert status == 2
    assert "is no file" in err
    assert list(tmp_path.glob("-")) == []


def test_replay_tells_what_is_wrong_with_a_file_and_shows_the_rest(run, populated, tmp_path):
    file = tmp_path / "r"
    run(*populated, "record", file, "--count", 2, "--interval", 0.1)
    content = file.read_text()
    file.write_text(content + content.splitlines()[1][:100])
    status, out, err = run("replay", file, "--format", "text")
    assert (status, out.count("\n")) == (0, 2)
    assert err == f"dmtui: {file}: the last line is cut off, as by a killed recorder; it is passed over\n"
    file.write_text(content.replace('"needs_check":false', '"needs_check":"no"', 1))
    status, out, err = run("replay", file, "--format", "text")
    assert (status, out.count("\n"), err.count("\n")) == (1, 1, 1)
    assert "sample 0 is broken" in err


def test_somebody_else_s_recording_does_not_move_the_cursor(run, populated, tmp_path):
    file = tmp_path / "r.gz"
    run(*populated, "record", file, "--count", 1)
    content = gzip.decompress(file.read_bytes()).replace(
        b'"display_name":"docker', b'"display_name":"\\u001b[2Jdocker', 1
    )
    file.write_bytes(content)
    out = run("replay", file, "--format", "text")[1]
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["record"], 2, "FILE"),
        (["record", "x", "--count", "0"], 2, "option --count: does not take 0"),
        (["record", "/no/such/place"], 1, "/no/such/place: cannot be written: No such file"),
        (["replay", "/no/such/file", "--format", "text"], 1, "cannot be read: No such file"),
        (["replay", "/etc/passwd", "--format", "text"], 1, "/etc/passwd: is no recording of dmtui"),
        (["replay", "/etc/passwd"], 2, "needs a terminal; use `dmtui replay FILE --format text` in pipes"),
    ],
)
def test_a_mistake_is_one_clear_line(run, populated, words, status, told):
    got, out, err = run(*populated, *words)
    assert (got, out) == (status, "")
    assert err.count("\n") == 1
    assert told in err
