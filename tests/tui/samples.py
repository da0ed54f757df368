"""Fixed samples that the dashboard's tests and the screenshots show."""

from __future__ import annotations

import dataclasses
import random

from dmtui.monitor.sample import Backing, Pool, RecordedDevice, Sample, Space, ThinDevice

GB = 10**9
MIB = 1024**2
GIB = 1024**3
NOW = 1_784_900_000.0
"""The instant of every fixed sample."""

BLOCK = 65536
NAMES = (
    "web-frontend", "web-cache", "postgres-main", "postgres-replica", "redis", "grafana", "prometheus", "registry",
    "build-runner", "mailhog", "keycloak", "minio", "rabbitmq", "vault", "nginx-edge",
)  # fmt: skip


def devices(count: int, seed: int = 7) -> tuple[ThinDevice, ...]:
    """So many thin devices of a container host."""
    dice = random.Random(seed)
    made = []
    for index in range(count):
        layer = f"{NAMES[index % len(NAMES)]}-{index:02d}"
        mapped = int(dice.betavariate(1.4, 4) * 10 * GIB) // BLOCK * BLOCK
        made.append(
            ThinDevice(
                name=f"docker-8:1-4718594-{layer}",
                display_name=layer,
                dev=f"253:{index + 1}",
                thin_id=index * 3 + 1,
                size_bytes=10 * GIB,
                mapped_bytes=mapped,
                highest_mapped_sector=mapped // 512 + 4096,
                open_count=dice.choice((0, 1, 1, 1, 2)),
            )
        )
    return tuple(made)


def loop_backing(
    number: int, path: str, size_bytes: int, allocated_bytes: int, free_bytes: int = 48 * GB, deleted: bool = False
) -> Backing:
    """A loop device over a sparse file."""
    return Backing(
        dev=f"7:{number}",
        device=f"/dev/loop{number}",
        loop_file=path,
        loop_file_deleted=deleted,
        loop_file_size_bytes=size_bytes,
        loop_file_allocated_bytes=allocated_bytes,
        host_free_bytes=free_bytes,
        host_total_bytes=250 * GB,
        disks=("sda1",),
    )


def docker_pool(used: float = 0.42, live_metadata: float = 0.09, count: int = 12, **changes) -> Pool:
    """Docker's pool on loop files; `used` and `live_metadata` are shares."""
    total, metadata_total = 100 * GIB, 2 * GIB
    reserve = 4096 * 4096
    data_used = int(used * total) // BLOCK * BLOCK
    metadata_used = reserve + int(live_metadata * (metadata_total - reserve)) // 4096 * 4096
    graph = "/var/lib/docker/devicemapper/devicemapper"
    pool = Pool(
        name="docker-8:1-4718594-pool",
        display_name="docker-8:1-4718594-pool",
        dev="253:0",
        uuid="",
        owner="docker",
        mode="rw",
        needs_check=False,
        block_size_bytes=BLOCK,
        data=Space(data_used, total, min(total - data_used, 48 * GB)),
        metadata=Space(metadata_used, metadata_total, metadata_total - metadata_used),
        low_water_mark_blocks=32768,
        transaction_id=91,
        no_space_policy="queue_if_no_space",
        discard_policy="discard_passdown",
        data_backing=loop_backing(0, f"{graph}/data", total, data_used + 3 * MIB),
        metadata_backing=loop_backing(1, f"{graph}/metadata", metadata_total, metadata_used),
        open_count=count,
        event_nr=3,
        devices=devices(count),
    )
    return dataclasses.replace(pool, **changes)


def recorded_pool(count: int = 14, **changes) -> Pool:
    """A pool of ours whose records are known: a base, images upon it, containers upon those, some not active."""
    pool = docker_pool(count=count, **{"owner": "dmtui", **changes})
    records, active = [], []
    prefix = "docker-8:1-4718594"
    base = RecordedDevice(f"{prefix}-base", "base", 1, 10 * GIB, 1, True, False, None, NOW - 90 * 86400)
    for index, device in enumerate(pool.devices):
        parent = "base" if index < 3 else records[(index - 3) // 2].display_name
        created_at = None if index % 5 == 4 else NOW - 86400 * (count - index) - 4000
        thin_id = (device.thin_id or 0) + 1
        record = RecordedDevice(
            device.name,
            device.display_name,
            thin_id,
            device.size_bytes,
            thin_id,
            True,
            index % 6 == 5,
            parent,
            created_at,
        )
        records.append(record)
        if index % 3 != 1:
            places = (f"/var/lib/dmtui/devicemapper/mnt/{device.display_name}",) if device.open_count else ()
            active.append(dataclasses.replace(device, thin_id=thin_id, mounted_at=places))
    return dataclasses.replace(pool, devices=tuple(active), recorded=(base, *records))


def lvm_pool() -> Pool:
    """A pool of LVM on two disks."""
    return Pool(
        name="vg0-thin-tpool",
        display_name="vg0/thin",
        dev="253:40",
        uuid="LVM-5kXq2ZbTnVv0pRPlGfH1c3wQm7uYd8Ea-tpool",
        owner="lvm",
        mode="rw",
        needs_check=False,
        block_size_bytes=262144,
        data=Space(1_649_267_441_664, 2_199_023_255_552, 549_755_813_888),
        metadata=Space(120 * MIB, GIB, GIB - 120 * MIB),
        low_water_mark_blocks=0,
        transaction_id=14,
        no_space_policy="queue_if_no_space",
        discard_policy="discard_passdown",
        data_backing=Backing("253:38", "/dev/mapper/vg0-thin_tdata", disks=("sdb1", "sdc1")),
        metadata_backing=Backing("253:39", "/dev/mapper/vg0-thin_tmeta", disks=("sdb1",)),
        open_count=3,
        event_nr=1,
        devices=(
            ThinDevice("vg0-home", "vg0/home", "253:41", 1, 500 * GIB, 310 * GIB, 700_000_000, 1),
            ThinDevice("vg0-vm1", "vg0/vm1", "253:42", 2, 200 * GIB, 190 * GIB, 410_000_000, 1),
        ),
    )


def containerd_pool() -> Pool:
    """A pool of containerd's snapshotter on disks of its own."""
    pool = docker_pool(0.871, 0.31, 6)
    return dataclasses.replace(
        pool,
        name="containerd-pool",
        display_name="containerd-pool",
        dev="253:60",
        owner="containerd",
        data_backing=Backing("8:32", "/dev/sdc", disks=("sdc",)),
        metadata_backing=Backing("8:48", "/dev/sdd", disks=("sdd",)),
        transaction_id=0,
    )


def failed_pool() -> Pool:
    """A pool for which the kernel says no more than ``Fail``."""
    return docker_pool(
        mode="Fail",
        needs_check=None,
        transaction_id=None,
        no_space_policy=None,
        discard_policy=None,
        data=Space(None, 100 * GIB, None),
        metadata=Space(None, 2 * GIB, None),
        devices=tuple(dataclasses.replace(device, mapped_bytes=None, failed=True) for device in devices(3)),
        findings=("the pool failed: its metadata cannot be used, all its I/O fails",),
    )


def full_pool() -> Pool:
    """A pool without a free data block."""
    return docker_pool(
        1.0,
        0.62,
        mode="out_of_data_space",
        findings=("the pool's mode is out_of_data_space", "writes wait up to 60 s for space, then fail"),
    )


def damaged_pool() -> Pool:
    """A pool that the kernel made read-only because its metadata must be checked."""
    return docker_pool(
        0.66,
        0.97,
        mode="ro",
        needs_check=True,
        findings=("the pool's mode is ro", "its metadata must be checked with thin_check before it is used again"),
    )


def deleted_file_pool() -> Pool:
    """A pool whose data file has no name any more."""
    pool = docker_pool(0.42)
    backing = dataclasses.replace(pool.data_backing, loop_file_deleted=True)
    return dataclasses.replace(pool, data_backing=backing, findings=("the data loop file was deleted while in use",))


def sample(*pools: Pool, at: float = NOW, machine: str = "kernel", **changes) -> Sample:
    """A sample of those pools."""
    description = "Linux 6.1.0 on node7" if machine == "kernel" else "emulated machine in ~/.local/share/dmtui"
    made = Sample(at, 0.004, machine, description, tuple(sorted(pools, key=lambda pool: pool.display_name)))
    return dataclasses.replace(made, **changes)


def moving(step: int, count: int = 30, at: float | None = None) -> Sample:
    """A machine that fills up and empties again, with some devices that write."""
    used = 0.55 + 0.4 * abs((step % 400) / 200 - 1)
    live = 0.30 + 0.2 * abs((step % 300) / 150 - 1)
    pool = docker_pool(used, live, count)
    moved = list(pool.devices)
    for offset in range(min(5, count)):
        index = (step * 5 + offset) % count
        device = moved[index]
        grown = min(device.size_bytes, (device.mapped_bytes or 0) + (step % 50) * 4 * MIB)
        moved[index] = dataclasses.replace(device, mapped_bytes=grown)
    pool = dataclasses.replace(pool, devices=tuple(moved))
    return sample(pool, lvm_pool(), at=NOW + step if at is None else at, machine="emulated")
