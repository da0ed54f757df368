"""The shortest course that still shows a difference: by leaving out pieces, halves first, single operations last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.machine.differential.operations import Operation


def shrink(
    operations: Sequence[Operation], differs: Callable[[list[Operation]], bool], tries: int = 150
) -> list[Operation]:
    """Leave out operations for as long as `differs` says that the difference stays, asking `tries` times at most."""
    kept = list(operations)
    size = max(1, len(kept) // 2)
    while tries > 0:
        at, left_out = 0, False
        while at < len(kept) and tries > 0:
            candidate = kept[:at] + kept[at + size :]
            tries -= 1
            if candidate and differs(candidate):
                kept, left_out = candidate, True
            else:
                at += size
        if size == 1 and not left_out:
            break
        size = max(1, size // 2)
    return kept
