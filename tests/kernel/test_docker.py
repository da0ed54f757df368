"""The pool of a real Docker 20.10: read while its daemon runs, and found again after the daemon was killed."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.units import METADATA_BLOCK_BYTES, metadata_reserve_blocks
from tests.kernel.docker import OUT, SCRATCH, Docker, containerd
from tests.kernel.terminal import Terminal

pytestmark = pytest.mark.kernel
DMTUI = [sys.executable, "-m", "dmtui"]


def dmtui(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DMTUI, *words], capture_output=True, text=True, timeout=120, env=os.environ | (env or {}))


def without_available(block: str) -> list[str]:
    """The lines but those which the host file system's free space moves."""
    return [line for line in block.splitlines() if " Space Available:" not in line]


@pytest.fixture(scope="module")
def docker():
    """Docker with an image and two containers, running."""
    root = SCRATCH / "docker"
    docker = Docker(root, "dm.loopdatasize=4G", "dm.loopmetadatasize=64M", "dm.basesize=1G")
    with containerd():
        docker.start()
        try:
            docker.import_image("tiny")
            docker.client("create", "--name", "one", "tiny", "/busybox", "true")
            device = docker.client("inspect", "--format", "{{.GraphDriver.Data.DeviceName}}", "one").strip()
            docker.container = device.split("-", 3)[3]
            docker.client("create", "--name", "two", "tiny", "/busybox", "true")
            yield docker
        finally:
            docker.stop()


@pytest.fixture(scope="module")
def while_running(docker):
    """What Docker and we say while the daemon runs, of the same quiet moment."""
    for _ in range(5):
        before = docker.storage_block()
        ours = dmtui("--machine", "kernel", "--graph", str(docker.graph), "info", "--format", "docker")
        if docker.storage_block() == before:
            break
    asked = dmtui("--machine", "kernel", "--graph", str(docker.graph), "info", "--format", "json")
    return before, ours, json.loads(asked.stdout)


def test_changing_is_refused_while_dockerd_runs(docker, while_running):
    done = dmtui("--machine", "kernel", "--graph", str(docker.graph), "device", "create", "mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"in use by dockerd, process {docker.daemon.pid}" in done.stderr
    assert not (docker.graph / "dmtui").exists()


@pytest.fixture(scope="module")
def left_behind(docker, while_running):
    """Docker's daemon killed; its pool is still there."""
    docker.kill()
    yield docker
    docker.start()  # so that it can take its pool down in order


def test_the_block_equals_that_of_docker_info_line_for_line(while_running):
    block, ours, _ = while_running
    (OUT / "docker-info-block.txt").write_text(block)
    assert ours.stdout == block
    assert (ours.returncode, ours.stderr) == (0, "")


def test_json_agrees_with_the_block(while_running):
    block, _, report = while_running
    lines = dict(line.strip().split(": ", 1) for line in block.splitlines())
    assert report["pool_name"] == lines["Pool Name"]
    assert report["data_file"] == lines["Data file"]
    assert report["metadata_loop_file"] == lines["Metadata loop file"]
    assert report["data_space"]["total"] == 4 * 2**30
    assert report["base_device_size"] == 2**30
    assert report["mode"] == "rw"
    assert report["udev_sync_supported"] is (lines["Udev Sync Supported"] == "true")
    assert report["library_version"] == lines["Library Version"]


def test_the_pool_left_behind_gives_the_same_figures(left_behind, while_running):
    block, _, report = while_running
    ours = dmtui("--machine", "kernel", "--graph", str(left_behind.graph), "info", "--format", "docker")
    assert without_available(ours.stdout) == without_available(block)
    again = info(left_behind)
    # The host's free space moves on its own: daemons log to it.
    for space in ("data_space", "metadata_space"):
        assert {key: again[space][key] for key in ("used", "total")} == {
            key: report[space][key] for key in ("used", "total")
        }
    assert again["pool_origin"] == "existing"
    assert again["data_loop_file"] == str(left_behind.graph / "devicemapper" / "data")
    assert re.fullmatch(r"/dev/loop\d+", again["data_file"])


def test_the_pool_left_behind_is_listed_as_docker_s_with_its_devices(left_behind):
    listed = json.loads(dmtui("--machine", "kernel", "pools", "--format", "json").stdout)
    pool = next(pool for pool in listed if pool["name"].startswith("docker-"))
    assert pool["owner"] == "docker"
    assert pool["data_loop_file"] == str(left_behind.graph / "devicemapper" / "data")
    assert dmtui("--machine", "kernel", "pools").stdout.count(pool["name"]) == 1


def test_reading_changes_nothing(left_behind):
    def state():
        files = {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in left_behind.graph.rglob("*")}
        table = subprocess.run(["dmsetup", "table"], capture_output=True, text=True).stdout
        info = subprocess.run(["dmsetup", "info", "-c"], capture_output=True, text=True).stdout
        return files, table, info

    before = state()
    for words in (["info"], ["info", "--format", "json"], ["pools"], ["watch", "--count", "2", "--interval", "0.2"]):
        done = dmtui("--machine", "kernel", "--graph", str(left_behind.graph), *words)
        assert done.returncode == 0, done.stderr
    assert state() == before


def test_the_engine_snapshots_what_docker_left_and_docker_goes_on(left_behind):
    graph = ["--machine", "kernel", "--graph", str(left_behind.graph), "device"]
    for words in (["create", "mine", "--parent", left_behind.container], ["activate", "mine"], ["deactivate", "mine"]):
        done = dmtui(*graph, *words)
        assert done.returncode == 0, done.stderr
    views = {view["name"]: view for view in json.loads(dmtui(*graph, "list", "--format", "json").stdout)}
    assert views["mine"]["parent"] == left_behind.container
    assert views[left_behind.container]["parent"] is None
    done = dmtui(*graph, "remove", "mine")
    assert done.returncode == 0, done.stderr
    record = json.loads((left_behind.graph / "metadata" / "transaction-metadata").read_text())
    assert record["open_transaction_id"] == info(left_behind)["transaction_id"]


def container_device(docker: Docker) -> tuple[str, int]:
    """Activate the first container's thin device, which Docker leaves inactive, and return its node and size."""
    container = docker.container
    record = json.loads((docker.graph / "metadata" / container).read_text())
    pool = next(name for name in os.listdir("/dev/mapper") if name.startswith("docker-") and name.endswith("-pool"))
    name = pool.removesuffix("pool") + container
    table = f"0 {record['size'] // 512} thin /dev/mapper/{pool} {record['device_id']}"
    subprocess.run(["dmsetup", "create", name, "--table", table], check=True)
    return name, record["size"]


def info(docker: Docker) -> dict:
    done = dmtui("--machine", "kernel", "--graph", str(docker.graph), "info", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_dashboard_shows_the_pool_left_behind_and_follows_a_write(left_behind):
    interval = 8
    name, _ = container_device(left_behind)
    report = info(left_behind)
    with Terminal("dashboard", 120, 40) as terminal:
        words = [*DMTUI, "--machine", "kernel", "--graph", str(left_behind.graph), "--interval", str(interval)]
        terminal.start(*words)
        try:
            used = format_size(report["data_space"]["used"])
            screen = terminal.wait_for(lambda text: report["pool_name"] in text and used in text)
            # Docker's figures of the metadata count the kernel's hidden reserve, the screen tells them above it.
            metadata = report["metadata_space"]
            reserve = metadata_reserve_blocks(metadata["total"] // METADATA_BLOCK_BYTES) * METADATA_BLOCK_BYTES
            assert f"{format_size(reserve)} reserve" in screen
            for key in ("used", "total"):
                assert format_size(report["data_space"][key]) in screen
                assert format_size(metadata[key] - reserve) in screen
            assert "devicemapper/data" in screen
            assert "devicemapper/metadata" in screen
            write = ["dd", "if=/dev/zero", f"of=/dev/mapper/{name}", "bs=1M", "count=200", "seek=300", "oflag=direct"]
            subprocess.run(write, check=True, capture_output=True)
            subprocess.run(["dmsetup", "status", name], check=True)
            now = format_size(info(left_behind)["data_space"]["used"])
            assert now != used
            screen = terminal.wait_for(lambda text: now in text, seconds=2 * interval)
            (OUT / "kernel-docker.txt").write_text(screen)
            terminal.keys("q")
            terminal.wait_for(lambda text: report["pool_name"] not in text)
        finally:
            (OUT / "last-screen.txt").write_text(terminal.screen())
    svg = OUT / "kernel-docker.svg"
    with Terminal("picture", 120, 40) as terminal:
        picture = (f"TEXTUAL_SCREENSHOT_LOCATION={OUT}", f"TEXTUAL_SCREENSHOT_FILENAME={svg.name}")
        terminal.start("env", "TEXTUAL_SCREENSHOT=15", *picture, *words)
        deadline = time.monotonic() + 180
        while not svg.exists() and time.monotonic() < deadline:
            time.sleep(0.5)
    subprocess.run(["dmsetup", "remove", "--retry", name], check=True)
    assert "devicemapper/data" in svg.read_text().replace("&#160;", " ")
