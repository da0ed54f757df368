"""The commands that an alert names for a pool of nobody known work on a real one, as they are told."""

import subprocess

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.monitor.alertrules import Rule
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.nextsteps import next_step
from dmtui.monitor.sample import Pool
from dmtui.thinpool.table import ThinTable
from tests.kernel.docker import SCRATCH
from tests.kernel.test_owners import run

pytestmark = pytest.mark.kernel
NAME, BLOCK_SECTORS = "somebodys-pool", 128


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def files():
    """A data file of 32 blocks and a metadata file, each on a loop device, with a pool over them."""
    paths = SCRATCH / "somebodys-data", SCRATCH / "somebodys-metadata"
    loops = []
    for path, size in zip(paths, (32 * 65536, 2 << 20), strict=True):
        run("truncate", "--size", str(size), str(path))
        loops.append(run("losetup", "-f", "--show", str(path)).strip())
    run("dmsetup", "create", NAME, "--table", f"0 {32 * BLOCK_SECTORS} thin-pool {loops[1]} {loops[0]} 128 0")
    yield paths
    for name in ("somebodys-thin", NAME):
        subprocess.run(["dmsetup", "remove", "--retry", name], capture_output=True)
    for loop, path in zip(loops, paths, strict=True):
        run("losetup", "-d", loop)
        path.unlink()


def found(machine) -> Pool:
    (pool,) = [pool for pool in Discoverer(machine).take().pools if pool.name == NAME]
    return pool


def follow(pool: Pool, rule: Rule, **filled_in: str) -> None:
    for command in next_step(rule, pool).commands:
        for word, value in filled_in.items():
            command = command.replace(word, value)  # noqa: PLW2901
        run("bash", "-euo", "pipefail", "-c", command)


def test_a_full_pool_is_extended_by_hand_and_what_waits_goes_on(machine, files):
    run("dmsetup", "message", NAME, "0", "create_thin 0")
    run("dmsetup", "create", "somebodys-thin", "--table", f"0 {64 * BLOCK_SECTORS} thin /dev/mapper/{NAME} 0")
    words = ["dd", "if=/dev/zero", "of=/dev/mapper/somebodys-thin", "bs=64k", "count=40", "oflag=direct"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as writer:
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(3)
        assert found(machine).mode == "out_of_data_space"
        follow(found(machine), Rule.MODE, SIZE=str(64 * 65536), SECTORS=str(64 * BLOCK_SECTORS))
        assert writer.wait(30) == 0
    pool = found(machine)
    assert (pool.mode, pool.data.used_bytes, pool.data.total_bytes) == ("rw", 40 * 65536, 64 * 65536)


def test_more_metadata_by_hand(machine, files):
    before = found(machine).metadata.total_bytes
    follow(found(machine), Rule.METADATA, SIZE=str(4 << 20))
    assert (found(machine).metadata.total_bytes or 0) > (before or 0)


def test_metadata_that_are_whole_are_checked_by_hand(machine, files):
    follow(found(machine), Rule.NEEDS_CHECK)
    assert NAME not in run("dmsetup", "ls")


def test_our_own_marked_pool_comes_back_writable_by_what_its_alert_says(machine):
    graph = SCRATCH / "ours" / "devicemapper"
    # So few metadata that a mapping finds no room among them before the kernel has seen it come.
    options = parse_options(["dm.loopdatasize=250M", "dm.loopmetadatasize=128K", "dm.basesize=16M", "dm.fs=ext4"])
    engine = open_engine(machine, str(graph), options, making=True)
    try:
        engine.run(engine.plans.start("now"))
        name = engine.devices.pool.name
        machine.device_mapper.message(name, "create_thin 1000")
        machine.device_mapper.create("marking", [ThinTable(engine.devices.pool.path, 1000).target(250 << 11)])
        words = ["dd", "if=/dev/zero", "of=/dev/mapper/marking", "bs=64k", "count=4000", "oflag=direct"]
        subprocess.run(words, check=False, capture_output=True)
        machine.device_mapper.remove("marking")
        (pool,) = [pool for pool in Discoverer(machine).take().pools if pool.name == name]
        assert (pool.mode, pool.needs_check) == ("ro", True)
        step = next_step(Rule.NEEDS_CHECK, pool)
        engine.run(engine.plans.remove_pool())
        engine.run(engine.plans.start("now"))  # the mark is on the disk
        assert engine.devices.pool.status().needs_check
        engine.run(engine.plans.remove_pool())
        assert step.once_down.commands[0] == f"dmtui --graph {graph} pool check --clear-needs-check"
        check = engine.plans.check(clears=True)
        engine.run(check.plan)
        assert check.result.sound
        engine.run(engine.plans.start("now"))
        assert not engine.devices.pool.status().needs_check
    finally:
        subprocess.run(["dmsetup", "remove", "--retry", "marking"], capture_output=True, check=False)
        if engine.devices.pool.exists():
            engine.run(engine.plans.remove_pool())
        engine.close()
