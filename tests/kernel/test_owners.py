"""Pools of real LVM and real containerd are shown as their owners know them."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.kernel.docker import ENVIRONMENT, OUT, SCRATCH

pytestmark = pytest.mark.kernel


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def pools() -> list[dict]:
    return json.loads(run(sys.executable, "-m", "dmtui", "--machine", "kernel", "pools", "--format", "json"))


@pytest.fixture
def loop_disk():
    """Attach sparse files as disks."""
    attached = []

    def attach(name: str, size: str) -> str:
        path = SCRATCH / name
        run("truncate", "-s", size, str(path))
        attached.append((run("losetup", "-f", "--show", str(path)).strip(), path))
        return attached[-1][0]

    yield attach
    for device, path in attached:
        subprocess.run(["losetup", "-d", device])
        path.unlink()


def test_an_lvm_pool_is_shown_by_its_lvm_names_down_to_its_disks(loop_disk):
    disks = [loop_disk("disk-a", "256M"), loop_disk("disk-b", "256M")]
    filtered = ("--devices", ",".join(disks))
    try:
        run("vgcreate", *filtered, "vg-a", *disks)
        run("lvcreate", *filtered, "-y", "--type", "thin-pool", "-l", "100", "-n", "the-pool", "vg-a")
        run("lvcreate", *filtered, "-y", "--type", "thin", "-V", "1G", "-n", "thin-b", "--thinpool", "the-pool", "vg-a")
        (pool,) = [pool for pool in pools() if pool["owner"] == "lvm"]
        assert pool["name"] == "vg-a/the-pool"
        assert [device["name"] for device in pool["devices"]] == ["vg-a/thin-b"]
        assert pool["devices"][0]["size"] == 2**30
        assert set(pool["data_device"].split(",")) <= set(disks)
        assert set(pool["metadata_device"].split(",")) <= set(disks)
        assert pool["data_loop_file"] is None
    finally:
        subprocess.run(["vgremove", *filtered, "-ff", "-y", "vg-a"], capture_output=True)


@contextmanager
def devmapper_containerd(loop_disk):
    """A containerd with its devmapper snapshotter on a pool called `thin`; gives the words that ask it."""
    data, metadata = loop_disk("ctrd-data", "1G"), loop_disk("ctrd-meta", "16M")
    table = f"0 {2**30 // 512} thin-pool {metadata} {data} 128 0 1 skip_block_zeroing"
    run("dmsetup", "create", "thin", "--table", table)
    config = OUT / "containerd-devmapper.toml"
    config.write_text(
        "version = 2\n"
        '[plugins."io.containerd.snapshotter.v1.devmapper"]\n'
        f'root_path = "{SCRATCH}/ctrd-devmapper"\npool_name = "thin"\nbase_image_size = "64MB"\nfs_type = "ext4"\n'
    )
    address = "/run/dmtui-ctrd.sock"
    words = ["containerd", "--config", str(config), "--root", str(SCRATCH / "ctrd-root"), "--state", "/run/dmtui-ctrd",
             "--address", address]  # fmt: skip
    with (OUT / "containerd-devmapper.log").open("ab") as log:
        daemon = subprocess.Popen(words, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        ctr = ["ctr", "--address", address, "snapshots", "--snapshotter", "devmapper"]
        deadline = time.monotonic() + 120
        while subprocess.run([*ctr, "ls"], env=ENVIRONMENT, capture_output=True).returncode:
            assert time.monotonic() < deadline, "containerd did not answer"
            time.sleep(0.5)
        yield ctr
    finally:
        daemon.terminate()
        daemon.wait(60)
        listed = subprocess.run(["dmsetup", "ls"], capture_output=True, text=True).stdout.split()
        for name in (*(name for name in listed if name.startswith("thin-snap-")), "thin"):
            subprocess.run(["dmsetup", "remove", "--retry", name], capture_output=True)
        for left in ("ctrd-devmapper", "ctrd-root"):
            shutil.rmtree(SCRATCH / left, ignore_errors=True)


def test_a_containerd_pool_is_recognised_by_its_snapshots(loop_disk):
    with devmapper_containerd(loop_disk) as ctr:
        run(*ctr, "prepare", "first", "")
        (pool,) = [pool for pool in pools() if pool["name"] == "thin"]
        assert pool["owner"] == "containerd"
        assert [device["name"] for device in pool["devices"]] == ["thin-snap-1"]
        assert pool["data_loop_file"] == str(SCRATCH / "ctrd-data")
        run(*ctr, "rm", "first")
