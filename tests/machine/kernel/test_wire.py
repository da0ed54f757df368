"""The bytes of device-mapper's ioctls, against what a real kernel answered."""

import struct

from dmtui.machine.kernel import wire
from dmtui.thinpool.devno import DeviceNumber
from tests.machine.kernel import replies


def test_an_ioctl_number_is_the_kernel_s():
    assert wire.ioctl_number(wire.TABLE_STATUS) == 0xC138FD0C


def test_a_request_carries_size_flags_and_name_where_the_kernel_looks():
    sent = bytes(wire.request(1024, b"pool", wire.FLAG_NO_FLUSH))
    assert struct.unpack_from("=8I", sent) == (4, 0, 0, 1024, 312, 0, 0, 0x800)
    assert sent[48:176].rstrip(b"\0") == b"pool"
    assert len(sent) == 1024


def test_the_version_is_in_every_reply():
    assert wire.read_version(bytearray(replies.LIST)) == (4, 47, 0)


def test_the_list_has_names_numbers_and_event_counters():
    pool, thin = wire.read_list(bytearray(replies.LIST))
    assert (pool.name, pool.dev, pool.event_nr) == ("p1", DeviceNumber(254, 0), 0)
    assert (thin.name, thin.dev, thin.event_nr) == ("t0", DeviceNumber(254, 1), 0)


def test_an_older_interface_tells_no_event_counters():
    reply = bytearray(replies.LIST)
    struct.pack_into("=I", reply, 4, 36)
    assert [entry.event_nr for entry in wire.read_list(reply)] == [None, None]


def test_a_list_of_nothing_is_empty():
    reply = wire.request(1024)
    struct.pack_into("=I", reply, 12, 312 + 16)
    assert wire.read_list(reply) == ()


def test_a_list_without_a_record_is_empty():
    reply = wire.request(1024)
    struct.pack_into("=I", reply, 12, 312)
    assert wire.read_list(reply) == ()


def test_a_pool_status_is_read_with_its_trailing_blank():
    reading = wire.read_reading(bytearray(replies.POOL_STATUS))
    (target,) = reading.targets
    line = "0 131072 thin-pool 0 112/1024 0/1024 - rw discard_passdown queue_if_no_space - 256 "
    assert str(target) == line
    assert (reading.info.name, reading.info.uuid, reading.info.open_count) == ("p1", "DMTUI-x", 1)


def test_a_table_is_read_as_the_kernel_prints_it():
    (target,) = wire.read_reading(bytearray(replies.POOL_TABLE)).targets
    assert str(target) == "0 131072 thin-pool 7:1 7:2 128 0 0 "


def test_a_thin_status_is_read():
    (target,) = wire.read_reading(bytearray(replies.THIN_STATUS)).targets
    assert str(target) == "0 12800 thin 0 -"


def test_every_target_of_a_table_is_read():
    first, second = bytearray(replies.THIN_STATUS[312:360]), bytearray(replies.THIN_STATUS[312:360])
    struct.pack_into("=Q", second, 0, 12800)
    struct.pack_into("=I", first, 20, 48)
    struct.pack_into("=I", second, 20, 96)
    reply = bytearray(replies.THIN_STATUS)
    struct.pack_into("=I", reply, 20, 2)
    reply[312:408] = first + second
    assert [target.start_sectors for target in wire.read_reading(reply).targets] == [0, 12800]


def test_a_device_without_a_table_has_no_targets():
    reply = bytearray(replies.THIN_INFO)
    struct.pack_into("=I", reply, 20, 0)
    assert wire.read_reading(reply).targets == ()


def test_the_flags_of_a_device_are_told_apart():
    reply = bytearray(replies.THIN_INFO)
    info = wire.read_info(reply)
    assert (info.live_table, info.suspended, info.read_only, info.inactive_table) == (True, False, False, False)
    struct.pack_into("=I", reply, 28, 0x1 | 0x2 | 0x40 | 0x20000 | 0x40000)
    info = wire.read_info(reply)
    assert (info.live_table, info.suspended, info.read_only, info.inactive_table) == (False, True, True, True)
    assert info.deferred_remove
    assert info.internal_suspend


def test_dependencies_are_device_numbers():
    found = wire.read_dependencies(bytearray(replies.POOL_DEPENDENCIES))
    assert set(found) == {DeviceNumber(7, 1), DeviceNumber(7, 2)}


def test_target_versions_are_told_by_type():
    found = wire.read_target_versions(bytearray(replies.TARGET_VERSIONS))
    assert found["thin-pool"] == "1.22.0"
    assert {"thin", "linear", "error", "striped"} <= set(found)


def test_a_full_buffer_is_noticed():
    reply = bytearray(replies.THIN_STATUS)
    assert not wire.is_full(reply)
    struct.pack_into("=I", reply, 28, 0x100)
    assert wire.is_full(reply)
