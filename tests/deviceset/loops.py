"""Loop devices of files below a directory, once those that go by themselves have gone."""

from __future__ import annotations

import time
from pathlib import Path

_SECONDS = 3.0


def loops_below(machine, directory: Path, *, left: int = 0) -> list:
    """Those that are bound; where more than `left` are expected to stay, a kernel gets a moment to let go of them."""
    give_up_at = time.monotonic() + (_SECONDS if machine.kind == "kernel" else 0)
    while True:
        found = [loop for loop in machine.loops.list_bound() if (loop.backing_path or "").startswith(str(directory))]
        if len(found) <= left or time.monotonic() > give_up_at:
            return found
        time.sleep(0.1)
