"""The bytes of device-mapper's ioctls: requests packed, replies read. No ioctl is made here.

Source: the kernel's uapi header ``linux/dm-ioctl.h``. A request is a header of 312 bytes and a payload; the reply
comes in the same buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import Target

HEADER_BYTES = 312
NAME_BYTES = 128
"""Room for a name, its closing NUL included."""
HEADER_COMPARED_AT = 16
"""Where in the header the part begins that tells of the device; before it stand version and size."""
_NAME_AT = 48
_UUID_AT = 176

VERSION = 0
LIST_DEVICES = 2
DEVICE_STATUS = 7
TABLE_DEPENDENCIES = 11
TABLE_STATUS = 12
LIST_VERSIONS = 13
ARM_POLL = 16

FLAG_READ_ONLY = 0x1
FLAG_SUSPENDED = 0x2
FLAG_TABLE = 0x10
FLAG_LIVE_TABLE = 0x20
FLAG_INACTIVE_TABLE = 0x40
FLAG_BUFFER_FULL = 0x100
FLAG_NO_FLUSH = 0x800
FLAG_QUERY_INACTIVE = 0x1000
FLAG_DEFERRED_REMOVE = 0x20000
FLAG_INTERNAL_SUSPEND = 0x40000

EVENTS_IN_LIST = (4, 37)
"""The interface that first tells event counters in the list of devices."""

_REQUEST = Struct("=5I8xI")  # version, data size, data start, flags
_REPLY = Struct("=12x3IiII4xQ")  # data size, data start, targets, open count, flags, event number, device
_VERSION_NUMBERS = Struct("=3I")
_TARGET = Struct("=QQiI16s")  # start, length, status, offset of the next one (from the first), type
_LIST_ENTRY = Struct("=QI")  # device, offset of the next one (from this one)
_NUMBER = Struct("=I")
_TARGET_VERSION = Struct("=4I")  # offset of the next one (from this one), version


def ioctl_number(command: int) -> int:
    """The number that ``ioctl`` takes: read and write, 312 bytes, group 0xFD."""
    return 0xC0000000 | HEADER_BYTES << 16 | 0xFD << 8 | command


def request(size_bytes: int, name: bytes = b"", flags: int = 0) -> bytearray:
    """A request without payload, in a buffer of `size_bytes` that will take the reply.

    Interface 4.0.0 is asked for: every kernel with the same major number answers that.
    """
    buffer = bytearray(size_bytes)
    _REQUEST.pack_into(buffer, 0, 4, 0, 0, size_bytes, HEADER_BYTES, flags)
    set_name(buffer, name)
    return buffer


def set_name(buffer: bytearray, name: bytes) -> None:
    """Write a device's name into a request that has none yet."""
    buffer[_NAME_AT : _NAME_AT + len(name)] = name


def is_full(buffer: bytearray) -> bool:
    """Whether the kernel had more to say than fits: ask again with a larger buffer."""
    return bool(_REPLY.unpack_from(buffer)[4] & FLAG_BUFFER_FULL)


def read_version(buffer: bytearray) -> tuple[int, int, int]:
    """The interface's version, which every reply carries."""
    major, minor, patch = _VERSION_NUMBERS.unpack_from(buffer)
    return major, minor, patch


def read_info(buffer: bytearray) -> DeviceInfo:
    """What a reply says of its device."""
    return _info(buffer, _REPLY.unpack_from(buffer))


def compared_parts(buffer: bytearray) -> tuple[bytes, bytes]:
    """What of a reply tells whether something changed: the header from `HEADER_COMPARED_AT`, and the payload.

    The payload ends with the NUL of its last text, so nothing longer begins with it.
    """
    return bytes(buffer[HEADER_COMPARED_AT:HEADER_BYTES]), bytes(buffer[HEADER_BYTES : _REPLY.unpack_from(buffer)[0]])


def read_reading(buffer: bytearray, info: DeviceInfo | None = None) -> DeviceReading:
    """A reply to a status or table query; `info` is what its header says, where that is known already."""
    head = _REPLY.unpack_from(buffer)
    if info is None:
        info = _info(buffer, head)
    start: int = head[1]
    count: int = head[2]
    if count == 1:  # a pool or a thin device: the one case a poll lives on
        return DeviceReading(info, (_target(buffer, start),))
    targets: list[Target] = []
    at = start
    for _ in range(count):
        targets.append(_target(buffer, at))
        at = start + _TARGET.unpack_from(buffer, at)[3]
    return DeviceReading(info, tuple(targets))


def read_list(buffer: bytearray) -> tuple[DeviceEntry, ...]:
    """A reply to the list of devices."""
    size, at, *_ = _REPLY.unpack_from(buffer)
    if size <= at:
        return ()
    told = read_version(buffer)[:2] >= EVENTS_IN_LIST
    entries: list[DeviceEntry] = []
    while True:
        packed, step = _LIST_ENTRY.unpack_from(buffer, at)
        if not packed:  # one record without a device: the list is empty
            return ()
        end = buffer.index(0, at + 12)
        event_nr = _NUMBER.unpack_from(buffer, _aligned(end + 1))[0] if told else None
        entries.append(DeviceEntry(buffer[at + 12 : end].decode(), DeviceNumber.unpack(packed), event_nr))
        if not step:
            return tuple(entries)
        at += step


def read_dependencies(buffer: bytearray) -> tuple[DeviceNumber, ...]:
    """A reply to the query for the devices that a table stands on."""
    _, start, *_ = _REPLY.unpack_from(buffer)
    (count,) = _NUMBER.unpack_from(buffer, start)
    numbers = Struct(f"={count}Q").unpack_from(buffer, start + 8)
    return tuple(DeviceNumber.unpack(number) for number in numbers)


def read_target_versions(buffer: bytearray) -> dict[str, str]:
    """A reply to the list of target types: version by type."""
    _, at, *_ = _REPLY.unpack_from(buffer)
    versions: dict[str, str] = {}
    while True:
        step, *version = _TARGET_VERSION.unpack_from(buffer, at)
        versions[_text(buffer, at + 16)] = ".".join(map(str, version))
        if not step:
            return versions
        at += step


def _info(buffer: bytearray, head: Sequence[int]) -> DeviceInfo:
    _, _, _, open_count, flags, event_nr, packed = head
    return DeviceInfo(
        buffer[_NAME_AT : buffer.index(0, _NAME_AT)].decode(),
        buffer[_UUID_AT : buffer.index(0, _UUID_AT)].decode(),
        DeviceNumber.unpack(packed),
        open_count,
        event_nr,
        flags & FLAG_SUSPENDED != 0,
        flags & FLAG_READ_ONLY != 0,
        flags & FLAG_LIVE_TABLE != 0,
        flags & FLAG_INACTIVE_TABLE != 0,
        flags & FLAG_DEFERRED_REMOVE != 0,
        flags & FLAG_INTERNAL_SUSPEND != 0,
    )


def _target(buffer: bytearray, at: int) -> Target:
    start, length, _, _, kind = _TARGET.unpack_from(buffer, at)
    return Target(start, length, kind.rstrip(b"\0").decode(), _text(buffer, at + _TARGET.size))


def _text(buffer: bytearray, at: int) -> str:
    return buffer[at : buffer.index(0, at)].decode()


def _aligned(offset: int) -> int:
    return offset + 7 & ~7
