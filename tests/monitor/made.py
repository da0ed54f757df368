"""Samples made to order for the tests of what is remembered of them and concluded from them."""

from __future__ import annotations

import dataclasses

from dmtui.monitor.sample import Backing, Pool, Sample, Space, ThinDevice

NOW = 1_784_900_000.0
MIB, GIB = 1024**2, 1024**3
METADATA_BYTES = 128 * MIB
RESERVE_BYTES = 3276 * 4096  # min(4096, a tenth of 32768) blocks
LIVE_BYTES = METADATA_BYTES - RESERVE_BYTES


def thin(number: int, name: str | None = None, size_bytes: int = 10 * GIB, **changes) -> ThinDevice:
    """A thin device."""
    named = name or f"thin{number}"
    device = ThinDevice(f"docker-8:1-7-{named}", named, f"253:{number}", number, size_bytes, GIB, 4096, 0)
    return dataclasses.replace(device, **changes)


def backing(path: str = "/graph/data", size_bytes: int = 100 * GIB, **changes) -> Backing:
    """A loop device over a file that takes all its size of a host with much room."""
    made = Backing("7:0", "/dev/loop0", path, False, size_bytes, size_bytes, 500 * GIB, 1000 * GIB, ("/dev/loop0",))
    return dataclasses.replace(made, **changes)


def pool(data: float = 0.4, metadata: float = 0.1, name: str = "p", **changes) -> Pool:
    """A pool of 100 GiB with so much of its data, and of its metadata above the reserve, in use."""
    used, live = int(data * 100 * GIB), int(metadata * LIVE_BYTES)
    made = Pool(
        name=name,
        display_name=name,
        dev="253:0",
        uuid="",
        owner="docker",
        mode="rw",
        needs_check=False,
        block_size_bytes=65536,
        data=Space(used, 100 * GIB, 100 * GIB - used),
        metadata=Space(RESERVE_BYTES + live, METADATA_BYTES, LIVE_BYTES - live),
        low_water_mark_blocks=1024,
        transaction_id=7,
        no_space_policy="queue_if_no_space",
        discard_policy="discard_passdown",
        data_backing=backing(),
        metadata_backing=backing("/graph/metadata", METADATA_BYTES, dev="7:1"),
        open_count=0,
        event_nr=3,
    )
    return dataclasses.replace(made, **changes)


def failed(**changes) -> Pool:
    """A pool that tells no figures any more."""
    gone = {"data": Space(None, None, None), "metadata": Space(None, None, None), "transaction_id": None}
    words = {"mode": "Fail", "needs_check": None, "no_space_policy": None, "discard_policy": None}
    return dataclasses.replace(pool(), **gone, **words, **changes)


def sample(*pools: Pool, at: float = NOW, problems: tuple[str, ...] = ()) -> Sample:
    """A sample of those pools."""
    return Sample(at, 0.004, "emulated", "a machine in a file", pools, problems)
