"""What the thin-provisioning-tools say of a pool's metadata, and which programs a machine has."""

import pytest

from dmtui.machine.errors import DeviceBusyError, FileMissingError, MachineError
from dmtui.machine.tools import ThinEntry

BLOCK = 64 << 10
MIB = 1 << 20


@pytest.fixture
def tools(machine):
    return machine.thin_tools


@pytest.fixture
def held(rig, io):
    """A pool with thin device 1 of 16 blocks and its snapshot 2, and a metadata snapshot; the metadata's path."""
    pool = rig.pool()
    io.write(rig.thin(1), 0, MIB)
    rig.mapper.message(pool, "create_snap 2 1")
    rig.mapper.message(pool, "reserve_metadata_snap")
    return rig.metadata.path


def files_of_inactive_pool(rig) -> tuple[str, str]:
    """Metadata and data of the pool, which is removed with its devices."""
    for name in sorted(rig.names(), key=lambda name: name.endswith("-pool")):
        rig.mapper.remove(name)
    return str(rig.home / "metadata"), str(rig.home / "data")


def test_a_metadata_snapshot_tells_every_thin_device(tools, held):
    assert tools.list_thins(held, snapshot=True) == (ThinEntry(1, 16, 0, 0, 1), ThinEntry(2, 16, 0, 1, 1))


def test_a_metadata_snapshot_tells_what_was_when_it_was_taken(rig, tools, held, io):
    rig.mapper.message("dmtui-test-pool", "create_thin 3")
    io.write("dmtui-test-thin-1", 8 * MIB, MIB)
    rig.committed("dmtui-test-pool")
    assert [(thin.thin_id, thin.mapped_blocks) for thin in tools.list_thins(held, snapshot=True)] == [(1, 16), (2, 16)]


def test_a_pool_without_thin_devices_has_none(rig, tools):
    pool = rig.pool()
    rig.mapper.message(pool, "reserve_metadata_snap")
    assert tools.list_thins(rig.metadata.path, snapshot=True) == ()


def test_thin_devices_come_by_id_with_the_transaction_that_made_them(rig, tools):
    pool = rig.pool()
    for text in ("create_thin 30", "set_transaction_id 0 7", "create_thin 4", "reserve_metadata_snap"):
        rig.mapper.message(pool, text)
    thins = tools.list_thins(rig.metadata.path, snapshot=True)
    assert [(thin.thin_id, thin.transaction_id, thin.mapped_blocks) for thin in thins] == [(4, 7, 0), (30, 0, 0)]


def test_without_a_metadata_snapshot_there_is_nothing_to_tell(rig, tools):
    rig.pool()
    with pytest.raises(MachineError):
        tools.list_thins(rig.metadata.path, snapshot=True)


def test_an_active_pool_is_told_of_by_its_metadata_snapshot_only(tools, held):
    with pytest.raises(DeviceBusyError):
        tools.list_thins(held, snapshot=False)


def test_an_inactive_pool_is_told_of_as_it_is(rig, tools, io):
    rig.pool()
    io.write(rig.thin(5), 0, 3 * BLOCK)
    metadata, _ = files_of_inactive_pool(rig)
    assert tools.list_thins(metadata, snapshot=False) == (ThinEntry(5, 3, 0, 0, 0),)


def test_the_metadata_of_an_active_pool_are_sound(tools, held):
    assert tools.check(held, snapshot=True).sound


def test_the_metadata_of_an_inactive_pool_are_sound(rig, tools, io):
    rig.pool()
    io.write(rig.thin(1), 0, MIB)
    metadata, _ = files_of_inactive_pool(rig)
    assert tools.check(metadata, snapshot=False).sound


def test_without_a_metadata_snapshot_there_is_nothing_to_check(rig, tools):
    rig.pool()
    with pytest.raises(MachineError):
        tools.check(rig.metadata.path, snapshot=True)


def test_an_active_pool_is_checked_by_its_metadata_snapshot_only(tools, held):
    with pytest.raises(DeviceBusyError):
        tools.check(held, snapshot=False)


def test_what_are_no_metadata_are_not_sound(rig, tools):
    assert not tools.check(rig.file("blank", 4 * MIB), snapshot=False).sound


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (3, 2, 1)], ids=["behind", "before", "between"])
def test_a_trim_gives_the_host_back_what_the_pool_has_free_and_nothing_else(rig, tools, io, order):
    """Thin device 2 with 8 MiB goes; the others with 1 MiB each stay, wherever they are."""
    pool = rig.pool()
    for thin_id in order:
        io.write(rig.thin(thin_id), 0, 8 * MIB if thin_id == 2 else MIB)
    rig.mapper.remove("dmtui-test-thin-2")
    rig.mapper.message(pool, "delete 2")
    metadata, data = files_of_inactive_pool(rig)
    kept = (len(order) - 1) * MIB
    assert rig.machine.files.identify(data).allocated_bytes >= kept + 8 * MIB
    loops = [rig.machine.loops.attach(path, autoclear=False) for path in (metadata, data)]
    tools.trim(*(loop.path for loop in loops))
    assert kept <= rig.machine.files.identify(data).allocated_bytes < kept + MIB


def test_a_pool_s_data_file_of_another_size_is_not_trimmed(rig, tools):
    rig.pool()
    metadata, _ = files_of_inactive_pool(rig)
    other = rig.loop("other", 32 * MIB, autoclear=False)
    with pytest.raises(MachineError):
        tools.trim(metadata, other.path)


def test_an_active_pool_is_not_trimmed(rig, tools):
    rig.pool()
    with pytest.raises(DeviceBusyError):
        tools.trim(rig.metadata.path, rig.data.path)


@pytest.mark.parametrize(
    "use",
    [
        lambda tools, path: tools.list_thins(path, snapshot=False),
        lambda tools, path: tools.check(path, snapshot=False),
        lambda tools, path: tools.trim(path, path),
    ],
    ids=["list", "check", "trim"],
)
def test_missing_metadata_are_told_as_missing(rig, tools, use):
    with pytest.raises(FileMissingError):
        use(tools, str(rig.home / "none"))


def test_the_programs_that_are_missing_are_told_in_their_order(machine):
    names = ["zz-no-such-program", "mkfs.ext4", "aa-no-such-program", "thin_check"]
    assert machine.programs.missing(names) == ("zz-no-such-program", "aa-no-such-program")


def test_a_program_that_is_missing_is_not_run(machine):
    with pytest.raises(FileMissingError):
        machine.programs.run(["no-such-program", "--version"])
