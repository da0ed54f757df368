"""The emulated machine against what a kernel told once: no kernel is needed to hear it again.

The recordings were made with ``tests/kernel/run --module tests.machine.differential --record FILE`` on Linux 6.1.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.machine.differential import courses
from tests.machine.differential.__main__ import compare

RECORDED = [
    transcript
    for path in sorted((Path(__file__).parent / "recorded").glob("*.jsonl.gz"))
    for transcript in courses.read(path)
]


@pytest.mark.parametrize("transcript", RECORDED, ids=lambda transcript: f"{transcript.shape.lean}-{transcript.seed}")
def test_the_emulated_machine_tells_what_the_kernel_told(transcript):
    found = compare(transcript)
    assert found is None, found.text()


def test_what_was_recorded_is_worth_hearing():
    assert sum(len(transcript.operations) for transcript in RECORDED) >= 3000
    assert sum(transcript.points for transcript in RECORDED) >= 30_000
