"""How long an event of the real kernel takes to the screen is measured in the lab; it is printed, not judged."""

import subprocess
import sys

import pytest

from tests.kernel.docker import OUT, SCRATCH

pytestmark = pytest.mark.kernel


def test_the_time_from_an_event_to_the_screen_is_told():
    words = [sys.executable, "-m", "tests.kernel.bench.event", str(SCRATCH), "3"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    print(done.stdout)
    (OUT / "bench-event.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "event in the real kernel to changed screen" in done.stdout
