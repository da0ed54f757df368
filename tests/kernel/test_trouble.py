"""Trouble on a real kernel: one clear line and the right exit status each."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from dmtui.thinpool.table import PoolTable, Target, ThinTable
from tests.deviceset.graphs import DATA_BYTES, METADATA_BYTES, make_graph

pytestmark = pytest.mark.kernel
DMTUI = [sys.executable, "-m", "dmtui", "--machine", "kernel"]


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


def dmtui(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DMTUI, *words], capture_output=True, text=True, timeout=120)


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and text.startswith(("dmtui: ", "dmtui "))


@pytest.fixture
def failed_pool(machine, graph):
    """A pool whose metadata device dies under it, which the kernel notices at the next commit."""
    mapper = machine.device_mapper
    for path, size in ((graph.data_file, DATA_BYTES), (graph.metadata_file, METADATA_BYTES)):
        machine.files.make_sparse_file(path, size)
    data, metadata = machine.loops.attach(graph.data_file), machine.loops.attach(graph.metadata_file)
    length = METADATA_BYTES // 512
    mapper.create("dmtui-test-under", [Target(0, length, "linear", f"{metadata.dev} 0")])
    table = PoolTable("/dev/mapper/dmtui-test-under", data.path, 128, 0)
    name = graph.prefix.pool_name
    mapper.create(name, [table.target(DATA_BYTES // 512)])
    for loop in (data, metadata):
        machine.loops.release(loop)
    mapper.message(name, "create_thin 1")
    mapper.create(f"{name}-thin", [ThinTable(f"/dev/mapper/{name}", 1).target(2048)])
    mapper.suspend("dmtui-test-under", flush=False, lock_filesystem=False)
    mapper.load("dmtui-test-under", [Target(0, length, "error", "")])
    mapper.resume("dmtui-test-under")
    subprocess.run(["dmsetup", "message", name, "0", "create_thin 2"], capture_output=True)
    mapper.status_flush(name)
    return name


def test_a_failed_pool_is_told_with_unknown_figures(graph, failed_pool):
    done = dmtui("--graph", graph.directory, "info", "--format", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["mode"]) == (1, "Fail")
    assert report["data_space"] == {"used": None, "total": None, "available": None}
    assert "Fail" in done.stderr
    text = dmtui("--graph", graph.directory, "info")
    assert text.returncode == 1
    assert one_line(text.stderr)
    assert "Data Space Used: unknown" in text.stdout


def test_a_failed_pool_is_listed_with_the_others(failed_pool):
    done = dmtui("pools", "--format", "json")
    (pool,) = [pool for pool in json.loads(done.stdout) if pool["name"] == failed_pool]
    assert (pool["mode"], pool["data"]["used"]) == ("Fail", None)
    (device,) = pool["devices"]
    assert (device["mapped"], device["thin_id"]) == (None, None)
    assert "Fail" in dmtui("pools").stdout


def test_another_target_under_the_pool_s_name_is_refused(machine, graph):
    machine.device_mapper.create(graph.prefix.pool_name, [Target(0, 8, "error", "")])
    done = dmtui("--graph", graph.directory, "info")
    assert (done.returncode, done.stdout) == (1, "")
    assert one_line(done.stderr)
    assert "is not a thin pool but has error" in done.stderr


def test_no_pool_is_status_3(graph):
    done = dmtui("--graph", graph.directory, "info")
    assert (done.returncode, done.stdout) == (3, "")
    assert one_line(done.stderr)


def test_root_without_the_capability_is_told_the_two_ways_out(graph):
    words = ["setpriv", "--inh-caps", "-sys_admin", "--bounding-set", "-sys_admin"]
    for machine in ("auto", "kernel"):
        command = [*words, sys.executable, "-m", "dmtui", "--machine", machine, "pools"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (4, "")
        assert one_line(done.stderr)
        assert "root" in done.stderr
        assert "--machine emulated" in done.stderr


def test_another_user_is_told_the_two_ways_out():
    # A fork rather than a new process: the checkout may lie where another user cannot read it.
    from dmtui.cli import main

    importlib.import_module("dmtui.machine.kernel.probe")
    main(["--machine", "auto", "pools"])  # so that all of it is read

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 2)
        sys.stderr = os.fdopen(2, "w")
        os.setgid(65534)
        os.setuid(65534)
        status = main(["--machine", "auto", "pools"])
        sys.stderr.flush()
        os._exit(status)
    os.close(writing)
    text = os.fdopen(reading).read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert (status, one_line(text)) == (4, True), text


def test_auto_takes_the_kernel_and_says_so():
    done = subprocess.run([sys.executable, "-m", "dmtui", "pools"], capture_output=True, text=True)
    assert done.returncode == 0
    assert one_line(done.stderr)
    assert "kernel" in done.stderr
