"""One machine, several processes: nothing is lost, nobody waits for long, a kill leaves it whole."""

import multiprocessing
import os
import signal
import sqlite3
import stat
import threading
import time

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError
from tests.machine.emulated.bench import Bench, check_counts

spawn = multiprocessing.get_context("spawn")


def create_many(directory, first: int, count: int) -> None:
    machine = EmulatedMachine.open(directory)
    for thin_id in range(first, first + count):
        machine.device_mapper.message("p", f"create_thin {thin_id}")
        machine.write("shared", offset_bytes=thin_id * 65536, length_bytes=512)
    machine.close()


def write_for_ever(directory, started) -> None:
    machine = EmulatedMachine.open(directory)
    started.set()
    for step in range(10**9):
        thin_id = 100 + step % 50
        machine.device_mapper.message("p", f"create_snap {thin_id} 1")
        machine.write("shared", offset_bytes=step % 900 * 65536, length_bytes=65536 * 20)
        machine.discard("shared", offset_bytes=step % 700 * 65536, length_bytes=65536 * 7)
        machine.device_mapper.message("p", f"delete {thin_id}")


@pytest.fixture
def directory(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    bench = Bench(machine, blocks=8192)
    bench.msg("create_thin 1")
    bench.mapper.create("shared", [bench.table().__class__(0, 1 << 24, "thin", "/dev/mapper/p 1")])
    machine.close()
    return tmp_path / "machine"


def whole(directory) -> None:
    machine = EmulatedMachine.open(directory)
    with machine._store.write() as connection:
        pool = machine._pools.metadata(connection, 1)
        pool.commit()
        check_counts(pool)
    machine.device_mapper.message("p", "create_thin 9999")
    machine.close()


def test_several_processes_write_at_once_and_nothing_is_lost(directory):
    workers = [spawn.Process(target=create_many, args=(directory, 1000 * n, 40)) for n in range(2, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    machine = EmulatedMachine.open(directory)
    words = machine.device_mapper.status("p").targets[0].params.split()
    # Each loop of a worker made a thin (a metadata block) and wrote a block.
    assert words[2] == "120/8192"
    assert machine.device_mapper.status("shared").targets[0].params.startswith("15360 ")
    machine.close()
    whole(directory)


@pytest.mark.parametrize("after", [0.05, 0.21, 0.33])
def test_a_kill_in_the_middle_leaves_it_whole(directory, after):
    started = spawn.Event()
    worker = spawn.Process(target=write_for_ever, args=(directory, started))
    worker.start()
    assert started.wait(30)
    time.sleep(after)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(30)
    assert worker.exitcode == -signal.SIGKILL
    whole(directory)


def test_reading_does_not_wait_for_a_writer(directory):
    reader, writer = EmulatedMachine.open(directory), EmulatedMachine.open(directory)
    inside, done = threading.Event(), threading.Event()

    def hold():
        with writer._store.write():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    started = time.perf_counter()
    for machine in (reader, writer):
        machine.device_mapper.status("p")
        machine.loops.list_bound()
        machine.files.identify("/b/data")
    took = time.perf_counter() - started
    done.set()
    thread.join()
    assert took < 0.5
    reader.close()
    writer.close()


def test_a_holder_that_died_holds_nothing(directory):
    machine = EmulatedMachine.open(directory)
    machine.files.make_sparse_file("/b/more", 1 << 20)
    before = len(machine.loops.list_bound())
    worker = spawn.Process(target=attach_and_die, args=(directory,))
    worker.start()
    worker.join(30)
    assert len(machine.loops.list_bound()) == before
    machine.close()


def attach_and_die(directory) -> None:
    EmulatedMachine.open(directory).loops.attach("/b/more")
    os._exit(0)


def test_the_first_to_open_it_makes_it(tmp_path):
    first = EmulatedMachine.open(tmp_path / "machine")
    second = EmulatedMachine.open(tmp_path / "machine")
    assert (first.is_new, second.is_new) == (True, False)
    first.close()
    second.close()


def test_the_store_is_private(directory):
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    machine = EmulatedMachine.open(directory)
    machine.files.make_directory("/x")
    for path in directory.glob("machine.sqlite3*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    machine.close()


def test_garbage_is_said_to_be_garbage(tmp_path):
    (tmp_path / "machine.sqlite3").write_text("garbage " * 1000)
    with pytest.raises(DmtuiError, match="cannot be used"):
        EmulatedMachine.open(tmp_path)


@pytest.mark.parametrize(("made", "step"), [("garbage", "move it away"), ("a directory", "see to its directory")])
def test_what_is_said_of_a_store_that_cannot_be_used_tells_what_is_in_it_from_what_is_around_it(tmp_path, made, step):
    path = tmp_path / "machine.sqlite3"
    if made == "garbage":
        path.write_bytes(b"x" * 8192)
    else:
        path.mkdir()
    with pytest.raises(DmtuiError) as caught:
        EmulatedMachine.open(tmp_path)
    assert step in caught.value.next_step


def test_another_programs_database_is_left_alone(tmp_path):
    connection = sqlite3.connect(tmp_path / "machine.sqlite3")
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    with pytest.raises(DmtuiError, match="another program"):
        EmulatedMachine.open(tmp_path)


def test_a_newer_store_is_refused(directory):
    connection = sqlite3.connect(directory / "machine.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DmtuiError, match="version 99"):
        EmulatedMachine.open(directory)


def test_an_operation_that_is_refused_changes_nothing(directory):
    from dmtui.thinpool.table import Target

    machine = EmulatedMachine.open(directory)
    with pytest.raises(MachineError):
        machine.device_mapper.create("q", [Target(0, 8, "thin", "/dev/mapper/p 77")])
    assert [entry.name for entry in machine.device_mapper.list_devices()] == ["p", "shared"]
    machine.close()


def open_new(directory, results) -> None:
    machine = EmulatedMachine.open(directory)
    results.put((machine.is_new, machine.host_space.total_bytes))
    machine.close()


def test_of_several_that_open_a_new_one_at_once_one_makes_it(tmp_path):
    results = spawn.Queue()
    workers = [spawn.Process(target=open_new, args=(tmp_path / "machine", results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    seen = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sorted(new for new, _ in seen) == [False, False, False, True]
    assert {total for _, total in seen} == {64 << 30}


def test_a_closed_machine_says_so_and_may_be_closed_again(directory):
    machine = EmulatedMachine.open(directory)
    machine.close()
    machine.close()
    for use in (machine.device_mapper.list_devices, lambda: machine.device_mapper.message("p", "create_thin 5")):
        with pytest.raises(MachineError, match="closed"):
            use()


def test_one_machine_serves_several_threads(directory):
    machine = EmulatedMachine.open(directory)
    failures = []

    def work(first):
        try:
            for thin_id in range(first, first + 30):
                machine.device_mapper.message("p", f"create_thin {thin_id}")
                machine.device_mapper.status("p")
                machine.loops.list_bound()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine.close()
    assert failures == []
    whole(directory)


def test_a_run_can_be_repeated_to_the_byte(tmp_path):
    lines = []
    for name in ("one", "two"):
        machine = EmulatedMachine.open(tmp_path / name)
        bench = Bench(machine, blocks=300)
        bench.thin(1)
        bench.msg("create_snap 2 1")
        bench.machine.write("t1", offset_bytes=0, length_bytes=200 * 65536)
        bench.msg("reserve_metadata_snap")
        bench.discard("t1", 5, 50)
        lines.append([bench.line(), bench.line("t1"), machine.files.identify("/b/data"), machine.host_space])
        machine.close()
    assert lines[0] == lines[1]
