"""What device-mapper does with any device: list, info, suspend, resume, remove."""

import pytest

from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, InvalidError
from dmtui.thinpool.table import Target, ThinTable

MIB = 1 << 20


def test_the_versions_are_told(rig):
    versions = rig.mapper.versions()
    assert versions.driver.startswith("4.")
    assert versions.library is None or versions.library != ""


def test_the_thin_pool_version_is_known_once_there_is_a_pool(rig):
    rig.pool()
    assert rig.mapper.versions().thin_pool.startswith("1.")


def test_deferred_removal_is_offered(rig):
    assert rig.mapper.deferred_removal_supported()


def test_udev_sync_is_told(rig):
    assert rig.mapper.udev_sync_supported() in (True, False)


def test_the_list_has_every_device_with_its_number(rig):
    pool, thin = rig.pool(), rig.thin(1)
    listed = {entry.name: entry.dev for entry in rig.mapper.list_devices()}
    assert listed[pool] == rig.mapper.info(pool).dev
    assert listed[thin] == rig.mapper.info(thin).dev


def test_a_new_pool_has_had_no_event(rig):
    pool = rig.pool()
    (entry,) = [entry for entry in rig.mapper.list_devices() if entry.name == pool]
    assert entry.event_nr == 0
    assert rig.mapper.info(pool).event_nr == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda mapper: mapper.info("dmtui-test-none"),
        lambda mapper: mapper.table("dmtui-test-none"),
        lambda mapper: mapper.status("dmtui-test-none"),
        lambda mapper: mapper.status_flush("dmtui-test-none"),
        lambda mapper: mapper.dependencies("dmtui-test-none"),
        lambda mapper: mapper.load("dmtui-test-none", [Target(0, 8, "error", "")]),
        lambda mapper: mapper.suspend("dmtui-test-none"),
        lambda mapper: mapper.resume("dmtui-test-none"),
        lambda mapper: mapper.remove("dmtui-test-none"),
        lambda mapper: mapper.message("dmtui-test-none", "create_thin 0"),
    ],
    ids=["info", "table", "status", "flush", "dependencies", "load", "suspend", "resume", "remove", "message"],
)
def test_a_missing_device_is_told_as_missing(machine, ask):
    with pytest.raises(DeviceMissingError):
        ask(machine.device_mapper)


@pytest.mark.parametrize("name", ["a/b", "x" * 128])
def test_a_name_that_is_none_is_refused(rig, name):
    with pytest.raises(InvalidError):
        rig.mapper.create(name, [Target(0, 8, "error", "")])


def test_a_new_device_is_live_and_running(rig):
    info = rig.mapper.info(rig.pool())
    assert (info.live_table, info.inactive_table, info.suspended, info.read_only) == (True, False, False, False)


def test_a_suspended_device_says_so_until_it_is_resumed(rig):
    rig.pool()
    thin = rig.thin(1)
    rig.mapper.suspend(thin)
    assert rig.mapper.info(thin).suspended
    rig.mapper.resume(thin)
    assert not rig.mapper.info(thin).suspended


def test_a_thin_of_a_suspended_pool_can_be_removed(rig):
    pool, thin = rig.pool(), rig.thin(1)
    rig.mapper.suspend(pool)
    assert rig.mapper.info(thin).internal_suspend
    rig.mapper.remove(thin)
    assert thin not in rig.names()
    rig.mapper.resume(pool)
    assert rig.mapper.info(pool).open_count == 0


def test_suspending_twice_and_resuming_twice_are_no_errors(rig):
    rig.pool()
    thin = rig.thin(1)
    rig.mapper.suspend(thin)
    rig.mapper.suspend(thin)
    rig.mapper.resume(thin)
    rig.mapper.resume(thin)
    assert not rig.mapper.info(thin).suspended


def test_suspending_a_pool_suspends_its_devices_inside(rig):
    pool = rig.pool()
    thin = rig.thin(1)
    rig.mapper.suspend(pool)
    info = rig.mapper.info(thin)
    assert (info.suspended, info.internal_suspend) == (False, True)
    rig.mapper.resume(pool)
    assert not rig.mapper.info(thin).internal_suspend


def test_a_suspended_pool_takes_messages(rig):
    pool = rig.pool()
    rig.mapper.suspend(pool)
    rig.mapper.message(pool, "create_thin 1")
    rig.mapper.resume(pool)
    assert "112/1024" in rig.committed(pool)


def test_a_loaded_table_becomes_live_with_the_resume(rig):
    rig.pool()
    thin = rig.thin(1)
    (before,) = rig.mapper.table(thin).targets
    rig.mapper.load(thin, [ThinTable.parse(before.params).target(65536)])
    assert rig.mapper.info(thin).inactive_table
    assert rig.mapper.table(thin).targets == (before,)
    rig.mapper.resume(thin)
    assert rig.mapper.table(thin).targets[0].length_sectors == 65536
    assert not rig.mapper.info(thin).inactive_table


def test_a_removed_device_is_gone(rig):
    rig.pool()
    thin = rig.thin(1)
    rig.mapper.remove(thin)
    assert thin not in rig.names()
    with pytest.raises(DeviceMissingError):
        rig.mapper.info(thin)


def test_a_deferred_removal_of_a_free_device_happens_at_once(rig):
    pool = rig.pool()
    rig.mapper.remove(pool, deferred=True)
    assert rig.names() == set()


def test_a_deferred_removal_of_a_busy_pool_waits_for_its_last_device(rig):
    pool, thin = rig.pool(), rig.thin(1)
    rig.mapper.remove(pool, deferred=True)
    assert rig.mapper.info(pool).deferred_remove
    rig.mapper.remove(thin)
    assert rig.names() == set()


def test_a_deferred_removal_can_be_called_off(rig):
    pool, thin = rig.pool(), rig.thin(1)
    rig.mapper.remove(pool, deferred=True)
    rig.mapper.message(pool, "@cancel_deferred_remove")
    rig.mapper.remove(thin)
    assert rig.names() == {pool}
    assert not rig.mapper.info(pool).deferred_remove


def test_a_thin_device_is_read_only_when_it_is_created_so(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "create_thin 1")
    table = ThinTable(str(rig.mapper.info(pool).dev), 1)
    info = rig.mapper.create("dmtui-test-ro", [table.target(2048)], read_only=True)
    assert info.read_only


def test_a_creation_that_fails_leaves_nothing_behind(rig):
    pool = rig.pool()
    table = ThinTable(str(rig.mapper.info(pool).dev), 99)
    with pytest.raises(Exception, match="ENODATA"):
        rig.mapper.create("dmtui-test-thin", [table.target(2048)])
    assert rig.names() == {pool}


def test_a_busy_pool_stays_as_it_was_after_a_refused_removal(rig):
    pool, thin = rig.pool(), rig.thin(1)
    with pytest.raises(DeviceBusyError):
        rig.mapper.remove(pool)
    assert rig.names() == {pool, thin}
    assert not rig.mapper.info(pool).deferred_remove
