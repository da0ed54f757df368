"""A terminal that a test can read and type into: a tmux server of its own."""

from __future__ import annotations

import subprocess
import time


class Terminal:
    """A tmux session of our own."""

    def __init__(self, name: str, columns: int, rows: int):
        self.name, self.size = name, (columns, rows)

    def tmux(self, *words: str) -> str:
        socket = f"dmtui-{self.name}"
        command = ["tmux", "-L", socket, "-f", "/dev/null", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 or words[0] in ("capture-pane", "kill-server"), done.stderr
        return done.stdout

    def __enter__(self):
        return self

    def start(self, *words: str) -> None:
        columns, rows = self.size
        # A program believes COLUMNS and LINES more than its terminal, and a guest may have them set.
        clean = ("env", "-u", "COLUMNS", "-u", "LINES", *words)
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "main", *clean)

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "main")

    def keys(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "main", *keys)

    def wait_for(self, holds, seconds: float = 180) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            screen = self.screen()
            if holds(screen):
                return screen
            time.sleep(0.2)
        raise AssertionError(f"the screen never showed it:\n{screen}")

    def __exit__(self, *_):
        self.tmux("kill-server")
