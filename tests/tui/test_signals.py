"""Told to end from outside: the terminal is given back as it was."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal


@pytest.fixture(params=["dashboard", "replay", "demo"])
def shown(request, tmp_path):
    """Something of ours in a terminal."""
    home = {"HOME": str(tmp_path), "TERM": "xterm-256color", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    environment = home | {"PYTHONPATH": str(Path(__file__).parents[2])}
    program, machine = [sys.executable, "-m", "dmtui"], ["--machine", "emulated", "--emulated-dir", str(tmp_path / "m")]
    words = {"dashboard": machine, "demo": ["demo", "snapshots"], "replay": ["replay", str(tmp_path / "r")]}
    if request.param == "replay":
        recorder = Terminal([*program, *machine, "record", str(tmp_path / "r"), "--count", "1"], environment)
        recorder.wait_for_end()
    terminal = Terminal([*program, *words[request.param]], environment)
    terminal.wait_for("used of|No thin pool")
    yield terminal
    terminal.kill()


def test_the_terminal_is_as_it_was(shown):
    written = shown.end_by(signal.SIGTERM)
    for undone in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
        assert undone in written
    assert shown.status == 128 + signal.SIGTERM
