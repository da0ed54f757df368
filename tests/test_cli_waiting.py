"""``dmtui emulator write`` on what cannot be written now: how long it waits, and what it says of the end."""

import pytest

from dmtui.cli import emulator, main
from dmtui.machine.emulated import EmulatedMachine
from tests.machine.emulated.bench import Bench

BLOCK = ("--offset", "20M", "--length", "64K")


@pytest.fixture
def bench(tmp_path):
    """A full pool of 8 blocks, whose writers wait, on a machine whose clock stands still."""
    bench = Bench(EmulatedMachine.open(tmp_path / "machine"), blocks=8)
    bench.machine.clock.freeze()
    bench.thin(1)
    bench.write("t1", *range(8))
    yield bench
    bench.machine.close()


@pytest.fixture
def run(bench, tmp_path, capsys):
    """Runs a verb of ``dmtui emulator``; returns its status, output and error lines."""

    def run(*words):
        status = main(["--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"), "emulator", *words])
        out, err = capsys.readouterr()
        return status, out, err.splitlines()

    return run


def test_one_that_still_waits_is_said_to_go_on_by_itself(bench, run):
    status, out, (first, last) = run("write", "t1", *BLOCK, "--wait", "0")
    assert (status, out) == (1, "")
    assert "waits as number 1" in first
    assert "its write number 1 still waits after 0 s, and goes on by itself" in last
    assert "waiting: write number 1 of t1, 65.54 kB left\n" in run("status")[1]


def test_the_end_of_the_wait_is_waited_for(bench, run, monkeypatch):
    monkeypatch.setattr(emulator.time, "sleep", lambda _: bench.machine.clock.step(30))
    status, _, (_, last) = run("write", "t1", *BLOCK)
    assert status == 1
    assert "its write number 1, which waited, failed: No space left on device (ENOSPC)" in last
    assert "waiting" not in run("status")[1]


@pytest.mark.parametrize("verb", ["write", "discard"])
def test_what_a_suspended_device_is_given_is_done_when_it_is_resumed(bench, run, monkeypatch, verb):
    bench.mapper.suspend("t1")
    monkeypatch.setattr(emulator.time, "sleep", lambda _: bench.mapper.resume("t1"))
    status, out, (only,) = run(verb, "t1", "--offset", "0", "--length", "64K")
    assert (status, out) == (0, "")
    assert "is suspended" in only
    assert bench.line("t1").split()[3] == ("1024" if verb == "write" else "896")


@pytest.mark.parametrize("seconds", ["-1", "nan"])
def test_a_wait_is_a_number_of_seconds(run, seconds):
    status, out, (only,) = run("write", "t1", *BLOCK, "--wait", seconds)
    assert (status, out) == (2, "")
    assert "option --wait" in only
