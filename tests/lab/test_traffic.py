"""What the containers of a populated machine write: moderate, bounded, the same each time, and in its own place."""

import itertools
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dmtui.cli import main
from dmtui.deviceset.graph import open_graph
from dmtui.lab.starter import populate
from dmtui.lab.traffic import Traffic, kept_plan
from dmtui.machine.emulated import EmulatedMachine
from dmtui.thinpool.status import PoolStatus, ThinStatus


class Populated:
    """A populated machine and its traffic, which a test moves by hand."""

    def __init__(self, directory):
        self.machine = EmulatedMachine.open(directory)
        self.graph = str(directory / "devicemapper")
        self.prefix = open_graph(self.machine.files, self.graph).prefix
        self.pool = self.prefix.pool_name
        self.flows = kept_plan(self.graph)
        self.traffic = Traffic(self.machine, self.pool, self.flows)

    @property
    def line(self):
        return self.machine.device_mapper.status_flush(self.pool).targets[0].params

    @property
    def data(self):
        return PoolStatus.parse(self.line).figures.data

    def mapped(self, name):
        device = self.prefix.device_name(name)
        return ThinStatus.parse(self.machine.device_mapper.status(device).targets[0].params).mapped_bytes

    def step(self, count):
        for _ in range(count):
            self.traffic.step()


@pytest.fixture
def populated(starter):
    made = Populated(starter.directory)
    yield made
    made.machine.close()


@pytest.fixture
def another(tmp_path):
    """A machine that was made on its own."""
    machine = EmulatedMachine.open(tmp_path / "another")
    populate(machine, str(tmp_path / "another" / "devicemapper"))
    machine.close()
    made = Populated(tmp_path / "another")
    yield made
    made.machine.close()


def test_the_active_containers_of_the_starter_have_something_to_do(populated):
    names = {flow.device for flow in populated.flows}
    assert names == {populated.prefix.device_name(name) for name in ("web", "worker", "db")}
    assert names <= {entry.name for entry in populated.machine.device_mapper.list_devices()}


def test_the_pool_goes_up_and_down_and_never_beyond_what_all_ranges_hold(populated):
    start, seen = populated.data.used_blocks, []
    for _ in range(900):
        populated.traffic.step()
        seen.append(populated.data.used_blocks)
    most = start + sum(flow.length_bytes for flow in populated.flows) // 65536
    assert max(seen) <= most < populated.data.total_blocks / 2
    falls = [later for earlier, later in itertools.pairwise(seen) if later < earlier]
    assert falls
    assert max(seen) > start


def test_it_is_moderate(populated):
    assert all(flow.most_bytes <= 16 * 1024**2 for flow in populated.flows)


def test_the_same_seed_gives_the_same_machine(populated, another):
    populated.step(150)
    another.step(150)
    assert another.line == populated.line


def test_another_seed_gives_another(populated, another):
    another.traffic = Traffic(another.machine, another.pool, another.flows, seed=7)
    populated.step(40)
    another.step(40)
    assert another.line != populated.line


def test_what_the_containers_had_is_never_touched(populated):
    before = {name: populated.mapped(name) for name in ("web", "worker", "db")}
    populated.step(600)
    for flow in populated.flows:
        populated.machine.discard(flow.device, offset_bytes=flow.begin_bytes, length_bytes=flow.length_bytes)
    assert {name: populated.mapped(name) for name in before} == before


def test_nobody_writes_into_a_pool_that_somebody_has_nearly_filled(populated):
    db = populated.prefix.device_name("db")
    at = populated.flows[-1].begin_bytes + populated.flows[-1].length_bytes
    worker = populated.prefix.device_name("worker")
    total, used = (blocks * 65536 for blocks in (populated.data.total_blocks, populated.data.used_blocks))
    wanted = int(0.86 * total) - used
    for device in (db, worker, populated.prefix.device_name("web")):
        length = min(wanted, 10 * 1024**3 - at) // 65536 * 65536
        populated.machine.write(device, offset_bytes=at, length_bytes=length)
        wanted -= length
    before = populated.line
    populated.step(30)
    assert populated.line == before


def test_nobody_writes_on_a_host_that_is_nearly_full(populated):
    populated.machine.set_host_space(1024**3)
    before = populated.line
    populated.step(30)
    assert populated.line == before


@pytest.mark.parametrize("trouble", ["fail_pool", "fail_metadata_operation"])
def test_a_pool_in_trouble_is_left_alone(populated, trouble):
    getattr(populated.machine.faults, trouble)(populated.pool)
    before = populated.line
    populated.step(30)
    assert populated.line == before


def test_a_container_that_is_not_active_writes_nothing_and_disturbs_nobody(populated):
    populated.machine.device_mapper.remove(populated.prefix.device_name("db"))
    populated.step(60)
    assert populated.data.used_blocks > 0


def test_after_a_reboot_nothing_is_written(populated):
    populated.machine.reboot()
    populated.step(10)
    assert populated.machine.device_mapper.list_devices() == ()


def test_it_goes_on_in_a_thread_until_it_is_stopped(populated):
    before = populated.line
    populated.traffic.start()
    deadline = time.monotonic() + 20
    while populated.line == before and time.monotonic() < deadline:
        time.sleep(0.05)
    populated.traffic.stop()
    rest = populated.line
    assert rest != before
    time.sleep(1.5)
    assert populated.line == rest


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"device": "x"}]', None])
def test_without_a_plan_that_can_be_read_nobody_writes(tmp_path, content):
    (tmp_path / "dmtui").mkdir()
    if content is not None:
        (tmp_path / "dmtui" / "traffic.json").write_text(content)
    assert kept_plan(str(tmp_path)) == ()


@pytest.fixture
def writers(monkeypatch):
    """Runs the dashboard's command with a dashboard that only looks which threads there are."""
    monkeypatch.setattr("dmtui.cli.reading.need_terminal", lambda otherwise: None)
    seen = []

    monkeypatch.setattr("dmtui.cli.reading._FIGURES_FIRST_SECONDS", 0.05)

    def look(app):
        begun = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
        for thread in begun:
            thread.join(5)
        seen.append(any(thread.name == "traffic" for thread in threading.enumerate()))

    monkeypatch.setattr("dmtui.tui.app.DashboardApp.run", look)

    def run(*words):
        seen.clear()
        assert main(list(words)) == 0
        return seen == [True]

    return run


def test_the_containers_write_while_the_dashboard_is_open_and_no_longer(writers, tmp_path):
    assert writers("--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"))
    assert not any(thread.name == "traffic" for thread in threading.enumerate())
    assert writers("--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"))


def test_a_dashboard_that_only_watches_lets_nobody_write(writers, tmp_path):
    assert not writers("--read-only", "--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"))


def test_a_machine_that_the_starter_has_not_populated_is_quiet(writers, tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    machine.files.make_sparse_file("/somebody-s", 4096)
    machine.close()
    assert not writers("--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"))


OUTSIDE = """
import sys, os
from pathlib import Path
inside, touched = os.path.realpath(sys.argv[1]), []
CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
def look(event, words):
    if event == "open":
        path, mode, flags = words
        if isinstance(path, (str, bytes)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            touched.append(os.fsdecode(path))
    elif (event == "sqlite3.connect" or event in CHANGING) and not isinstance(words[0], int):
        touched.append(os.fsdecode(words[0]))
sys.dont_write_bytecode = True
sys.addaudithook(look)
from dmtui.lab.starter import populate
from dmtui.lab.traffic import Traffic, kept_plan
from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.recorded import RecordReader
machine = EmulatedMachine.open(Path(inside))
graph = inside + "/devicemapper"
pool = populate(machine, graph).prefix.pool_name
traffic = Traffic(machine, pool, kept_plan(graph))
for _ in range(50):
    traffic.step()
Discoverer(machine, records=RecordReader(machine, graph)).take()
machine.close()
assert touched, "nothing was seen at all"
print("\\n".join(sorted({path for path in touched if not os.path.realpath(path).startswith(inside)})))
"""


def test_nothing_outside_its_directory_is_ever_touched(tmp_path):
    words = [sys.executable, "-c", OUTSIDE, str(tmp_path / "machine")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
