"""Loop devices: numbers, lives and sizes."""

import errno

import pytest

from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.thinpool.table import Target

MIB = 1 << 20


@pytest.fixture
def files(emulated):
    emulated.files.make_directory("/b")
    for name in ("one", "two", "three"):
        emulated.files.make_sparse_file(f"/b/{name}", MIB)
    return emulated.files


@pytest.fixture
def loops(emulated, files):
    return emulated.loops


def test_the_lowest_free_number_is_taken_and_gaps_stay(loops):
    for name in ("one", "two", "three"):
        loops.attach(f"/b/{name}", autoclear=False)
    loops.detach("/dev/loop1")
    assert [str(loop.dev) for loop in loops.list_bound()] == ["7:0", "7:2"]
    assert loops.attach("/b/two", autoclear=False).path == "/dev/loop1"


def test_a_file_may_be_attached_twice(loops, files):
    first, second = (loops.attach("/b/one", autoclear=False) for _ in range(2))
    file = files.identify("/b/one")
    assert first.dev != second.dev
    assert first.is_whole(file)
    assert second.is_whole(file)


def test_a_deleted_file_lives_as_long_as_its_loop_device(loops, files):
    loop = loops.attach("/b/one", autoclear=False)
    files.remove_file("/b/one")
    again = files.make_sparse_file("/b/one", MIB)
    (bound,) = loops.list_bound()
    assert (bound.deleted, bound.backing_path, bound.backing_inode) == (True, "/b/one", loop.backing_inode)
    assert not bound.is_whole(again)
    loops.detach(loop.path)
    assert loops.list_bound() == ()


def test_an_autoclear_loop_device_goes_with_its_last_user(loops):
    loop = loops.attach("/b/one")
    assert loops.list_bound() == (loop,)
    loops.release(loop)
    assert loops.list_bound() == ()


def test_a_table_is_a_user(loops, emulated):
    loop = loops.attach("/b/one")
    emulated.device_mapper.create("lin", [Target(0, 8, "linear", f"{loop.path} 0")])
    loops.release(loop)
    assert loops.list_bound() == (loop,)
    emulated.device_mapper.remove("lin")
    assert loops.list_bound() == ()


def test_detaching_one_in_use_makes_it_autoclear(loops, emulated):
    loop = loops.attach("/b/one", autoclear=False)
    emulated.device_mapper.create("lin", [Target(0, 8, "linear", f"{loop.path} 0")])
    loops.detach(loop.path)
    assert loops.list_bound()[0].autoclear
    emulated.device_mapper.remove("lin")
    assert loops.list_bound() == ()


def test_a_longer_file_is_taken_over_when_asked(loops, files):
    loop = loops.attach("/b/one", autoclear=False)
    files.resize_file("/b/one", 2 * MIB + 700)
    assert loops.list_bound()[0].size_bytes == MIB
    loops.refresh_capacity(loop.path)
    assert loops.list_bound()[0].size_bytes == 2 * MIB + 512


def test_an_unbound_loop_device_has_no_such_device(loops):
    for act in (loops.detach, loops.refresh_capacity):
        with pytest.raises(MachineError) as caught:
            act("/dev/loop5")
        assert caught.value.errno == errno.ENXIO


def test_only_files_can_be_attached(loops):
    with pytest.raises(FileMissingError):
        loops.attach("/b/none")
    with pytest.raises(MachineError):
        loops.attach("/b")


def test_closing_the_machine_lets_go_of_what_it_holds(tmp_path):
    from dmtui.machine.emulated import EmulatedMachine

    first, second = (EmulatedMachine.open(tmp_path / "machine") for _ in range(2))
    first.files.make_sparse_file("/file", MIB)
    first.loops.attach("/file")
    assert len(second.loops.list_bound()) == 1
    first.close()
    assert second.loops.list_bound() == ()
    second.close()
