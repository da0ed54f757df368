"""What the containers of the starter machine do while somebody looks: they write a little, and drop it again.

Each has a range of its device to itself, fills it by and by, and discards it when it is full. So the pool's use goes up
and down within what all ranges together allow, and never fills by itself.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from dmtui.machine.emulated import EmulatedMachine
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.status import PoolMode, PoolStatus
from dmtui.thinpool.values import frozen

SEED = 2015
MOST_USED = 0.85
"""Share of the pool above which nobody writes, whoever has filled it."""
LEAST_HOST_FREE_BYTES = 2 * 1024**3
_PLAN = "traffic.json"
_PAUSE_SECONDS = (0.4, 1.2)
_LEAVING_SECONDS = 1.0
_ALIGNMENT = 64 * 1024


@frozen
class Flow:
    """What one container writes.

    Attributes:
        device: device-mapper name.
        begin_bytes, length_bytes: its range; nothing else of the device is touched.
        least_bytes, most_bytes: of one write.
        weight: how often it writes, compared with the others.
    """

    device: str
    begin_bytes: int
    length_bytes: int
    least_bytes: int
    most_bytes: int
    weight: int = 1


def keep_plan(graph_directory: str, flows: Sequence[Flow]) -> None:
    """Note beside a graph directory's records what its containers write."""
    path = Path(graph_directory) / "dmtui" / _PLAN
    path.write_text(json.dumps([asdict(flow) for flow in flows], indent=1) + "\n", encoding="utf-8")


def kept_plan(graph_directory: str) -> tuple[Flow, ...]:
    """What was noted; nothing where there is no such file, or none that can be read: then nobody writes."""
    with suppress(OSError, ValueError, TypeError):
        found = json.loads((Path(graph_directory) / "dmtui" / _PLAN).read_text(encoding="utf-8"))
        return tuple(Flow(**cast("dict[str, Any]", each)) for each in found)
    return ()


class Traffic:
    """Writes and drops in a thread of its own, from `start` to `stop`."""

    def __init__(self, machine: EmulatedMachine, pool: str, flows: Sequence[Flow], seed: int = SEED) -> None:
        self._machine, self._pool, self._flows = machine, pool, tuple(flows)
        self._random = random.Random(seed)  # noqa: S311 - nobody's secret
        self._at = dict.fromkeys((flow.device for flow in self._flows), 0)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="traffic", daemon=True)

    def start(self) -> None:
        """Begin, where there is anything to do."""
        if self._flows:
            self._thread.start()

    def stop(self) -> None:
        """Write nothing more; a write under way ends by itself."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_LEAVING_SECONDS)

    def step(self) -> None:
        """Let one container write once; where that cannot be, nothing happens."""
        flow = self._random.choices(self._flows, [flow.weight for flow in self._flows])[0]
        length = self._random.randrange(flow.least_bytes, flow.most_bytes + 1) // _ALIGNMENT * _ALIGNMENT
        if not self._has_room():
            return
        with suppress(DmtuiError):  # deactivated, suspended, read-only: the operator is at work
            if self._machine.queue.list_waiting(flow.device):
                return  # whose write waits writes nothing more
            at = self._at[flow.device]
            if at + length > flow.length_bytes:
                self._machine.discard(flow.device, offset_bytes=flow.begin_bytes, length_bytes=flow.length_bytes)
                at = 0
            self._machine.write(flow.device, offset_bytes=flow.begin_bytes + at, length_bytes=length)
            self._at[flow.device] = at + length

    def _has_room(self) -> bool:
        try:
            (target,) = self._machine.device_mapper.status(self._pool).targets
            status = PoolStatus.parse(target.params)
        except (DmtuiError, ValueError):
            return False
        if status.mode is not PoolMode.READ_WRITE or status.figures is None:
            return False
        data = status.figures.data
        enough = data.used_blocks <= MOST_USED * data.total_blocks
        return enough and self._machine.host_space.free_bytes >= LEAST_HOST_FREE_BYTES

    def _work(self) -> None:
        while not self._stopped.wait(self._random.uniform(*_PAUSE_SECONDS)):
            self.step()
