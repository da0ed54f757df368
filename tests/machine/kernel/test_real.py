"""What only the real kernel can show: hanging calls, races, silence on standard error, the cost of watching."""

import fcntl
import mmap
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dmtui.machine.errors import MachineError, NoDeviceMapperError, TimedOutError
from dmtui.machine.kernel import KernelMachine, device_mapper, wire
from dmtui.machine.kernel.libdevmapper import Library
from dmtui.machine.kernel.probe import Presence, probe
from dmtui.thinpool.table import PoolTable, Target, ThinTable

pytestmark = pytest.mark.kernel
BLOCK = 64 << 10
MIB = 1 << 20


@pytest.fixture
def machine_kind():
    return "kernel"


def make_pool(machine, home, sectors=131072) -> str:
    """A pool `dmtui-test-pool` that uses so many sectors of a data file of 64 MiB."""
    files, loops = machine.files, machine.loops
    for name, size in (("data", 64 * MIB), ("metadata", 4 * MIB)):
        files.make_sparse_file(str(home / name), size)
    data, metadata = (loops.attach(str(home / name)) for name in ("data", "metadata"))
    table = PoolTable(str(metadata.dev), str(data.dev), 128, 0)
    machine.device_mapper.create("dmtui-test-pool", [table.target(sectors)])
    for loop in (data, metadata):
        loops.release(loop)
    return "dmtui-test-pool"


@pytest.fixture
def pool(machine, home):
    return make_pool(machine, home)


def make_thin(machine, pool, thin_id, sectors=2048) -> str:
    mapper = machine.device_mapper
    mapper.message(pool, f"create_thin {thin_id}")
    table = ThinTable(str(mapper.info(pool).dev), thin_id)
    mapper.create(f"dmtui-test-{thin_id}", [table.target(sectors)])
    return f"dmtui-test-{thin_id}"


def wait_until(holds) -> None:
    give_up_at = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_device_mapper_is_found():
    assert probe().presence is Presence.PRESENT


def test_the_machine_is_described_by_its_kernel(machine):
    assert machine.description == f"Linux {os.uname().release}"


def test_the_versions_are_told_in_full(machine, pool):
    versions = machine.device_mapper.versions()
    assert versions.driver.count(".") == 2
    assert versions.library.startswith("1.02.")
    assert versions.library.endswith(")")
    assert versions.thin_pool.count(".") == 2


def test_udev_makes_the_node_before_the_creation_returns(machine, pool):
    assert machine.device_mapper.udev_sync_supported()
    assert Path(f"/dev/mapper/{pool}").exists()
    machine.device_mapper.remove(pool)
    assert not Path(f"/dev/mapper/{pool}").exists()


@pytest.fixture
def stuck(machine, home):
    """A thin device of a full pool with a writer waiting for room: suspending it hangs until there is some.

    Room comes from deleting another device. Growing the pool would not do: its resume waits for the suspend.
    """
    mapper = machine.device_mapper
    pool = make_pool(machine, home, sectors=2048)
    thin, other = make_thin(machine, pool, 1), make_thin(machine, pool, 2)
    write_zeros(f"/dev/mapper/{other}", 4 * BLOCK)
    mapper.remove(other)
    writer = threading.Thread(target=write_zeros, args=(f"/dev/mapper/{thin}", 13 * BLOCK), daemon=True)
    writer.start()
    while "out_of_data_space" not in mapper.status(pool).targets[0].params:
        time.sleep(0.05)
    yield pool, thin, lambda: mapper.message(pool, "delete 2")
    writer.join(20)
    assert not writer.is_alive()


def write_zeros(path, length_bytes) -> None:
    node = os.open(path, os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, length_bytes) as memory:
        os.pwrite(node, memory, 0)
    os.close(node)


def test_a_suspend_that_hangs_is_given_up_and_the_message_that_frees_it_gets_through(machine, stuck):
    _, thin, make_room = stuck
    mapper = machine.device_mapper
    mapper.deadline_seconds = 1.0
    with pytest.raises(TimedOutError, match="suspending it has not ended after 1 s"):
        mapper.suspend(thin)
    mapper.deadline_seconds = 30.0
    make_room()
    wait_until(lambda: mapper.info(thin).suspended)  # what was given up comes to its end after all
    mapper.resume(thin)


def test_watching_goes_on_while_a_suspend_hangs(machine, stuck):
    pool, thin, make_room = stuck
    mapper = machine.device_mapper
    mapper.deadline_seconds = 6.0
    with ThreadPoolExecutor(1) as other:
        suspending = other.submit(mapper.suspend, thin)
        time.sleep(0.3)
        started = time.monotonic()
        assert mapper.status(pool).targets
        assert mapper.list_devices()
        assert time.monotonic() - started < 0.3
        assert not suspending.done()
        assert isinstance(suspending.exception(), TimedOutError)
    mapper.deadline_seconds = 30.0
    make_room()
    wait_until(lambda: mapper.info(thin).suspended)
    mapper.resume(thin)


def test_the_library_writes_nothing_to_standard_error(machine, pool, capfd):
    mapper = machine.device_mapper
    for text in ("bogus", "delete 99"):
        with pytest.raises(MachineError):
            mapper.message(pool, text)
    with pytest.raises(MachineError):
        mapper.create("dmtui-test-x", [Target(0, 8, "no-such-target", "")])
    assert capfd.readouterr() == ("", "")


def test_no_udev_semaphore_stays_behind(machine, pool):
    thin = make_thin(machine, pool, 1)
    machine.device_mapper.remove(thin)
    with pytest.raises(MachineError):
        machine.device_mapper.remove(thin)
    assert len(Path("/proc/sysvipc/sem").read_text().splitlines()) == 1  # the heading


def test_without_the_library_everything_can_be_read_and_nothing_changed(pool, monkeypatch):
    monkeypatch.setattr(device_mapper, "Library", lambda: Library(("libdmtui-none.so",)))
    machine = KernelMachine()
    mapper = machine.device_mapper
    assert mapper.versions().library is None
    assert not mapper.udev_sync_supported()
    assert not mapper.deferred_removal_supported()
    assert mapper.status(pool).targets
    with pytest.raises(NoDeviceMapperError, match="not installed"):
        mapper.message(pool, "create_thin 1")
    machine.close()


def test_racing_attachments_get_a_loop_device_each(machine, home):
    paths = [str(home / f"race-{number}") for number in range(8)]
    for path in paths:
        machine.files.make_sparse_file(path, MIB)
    with ThreadPoolExecutor(8) as racers:
        loops = list(racers.map(lambda path: machine.loops.attach(path, autoclear=False), paths))
    assert len({loop.path for loop in loops}) == 8
    assert [loop.backing_path for loop in loops] == paths


def test_a_kernel_without_loop_configure_binds_in_two_steps(machine, home):
    path = str(home / "old")
    machine.files.make_sparse_file(path, MIB)
    machine.loops.has_configure = False
    loop = machine.loops.attach(path)
    assert loop.autoclear
    assert loop.is_whole(machine.files.identify(path))
    machine.loops.release(loop)


def test_a_file_that_is_called_deleted_is_not_taken_for_one(machine, home):
    path = str(home / "x (deleted)")
    machine.files.make_sparse_file(path, MIB)
    loop = machine.loops.attach(path, autoclear=False)
    assert (loop.backing_path, loop.deleted) == (path, False)
    machine.files.remove_file(path)
    (found,) = [bound for bound in machine.loops.list_bound() if bound.path == loop.path]
    assert (found.backing_path, found.deleted) == (path, True)


def test_a_poll_costs_at_most_twice_a_bare_ioctl_loop(machine, pool):
    names = [make_thin(machine, pool, thin_id) for thin_id in range(1, 25)] * 8
    request = bytes(wire.request(1024, flags=wire.FLAG_NO_FLUSH))
    number = wire.ioctl_number(wire.TABLE_STATUS)
    node = os.open("/dev/mapper/control", os.O_RDWR)

    def bare():
        for name in names:
            buffer = bytearray(request)
            encoded = name.encode()
            buffer[48 : 48 + len(encoded)] = encoded
            fcntl.ioctl(node, number, buffer)

    def ours():
        status = machine.device_mapper.status
        for name in names:
            status(name)

    costs = [(seconds(bare), seconds(ours)) for _ in range(15)]
    os.close(node)
    cheapest = min(cost[0] for cost in costs)
    ratio = min(cost[1] for cost in costs) / cheapest
    print(f"{len(names)} status calls: {ratio:.2f} x the bare loop's {cheapest * 1e6 / len(names):.1f} us each")
    assert ratio <= 2
