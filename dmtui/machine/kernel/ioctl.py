"""Reading device-mapper by its ioctls: cheap, thread-safe, and without libdevmapper."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select

from dmtui.machine.errors import InvalidError, MachineNotPermittedError, NoDeviceMapperError, machine_error
from dmtui.machine.kernel import wire
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading
from dmtui.thinpool.devno import DeviceNumber

CONTROL = "/dev/mapper/control"
LOAD_THE_MODULE = "load it with `modprobe dm-thin-pool`"
_FIRST_BYTES = 1024
"""`fcntl.ioctl` gives up the interpreter's lock during the call only for buffers up to here."""
_MOST_BYTES = 64 << 20
_STATUS = wire.ioctl_number(wire.TABLE_STATUS)
_STATUS_REQUEST = bytes(wire.request(_FIRST_BYTES, flags=wire.FLAG_NO_FLUSH))
_Known = tuple[bytes, bytes, DeviceReading]
"""The last answer about a device: header and payload as the kernel gave them, and what they say."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]


class Control:
    """The control node, open for reading queries.

    No call here is bounded in time by itself: the kernel answers at once except where a pool's metadata device
    hangs, and a handover to another thread would cost more than the call. Who watches, watches from a thread.
    """

    def __init__(self, path: str = CONTROL) -> None:
        """Open the node at `path`.

        Raises:
            NoDeviceMapperError: there is no node, or no driver behind it.
            MachineNotPermittedError: it is not for us.
        """
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise machine_error(error.errno, path, "opening it") from None
            raise NoDeviceMapperError(
                path, f"cannot be opened: {error.strerror}", LOAD_THE_MODULE, error.errno or 0
            ) from None
        self._list_bytes = 16 * _FIRST_BYTES
        self._known: dict[str, _Known] = {}

    def close(self) -> None:
        """Close the node; further calls fail."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def version(self) -> tuple[int, int, int]:
        """The interface's version; raises `MachineNotPermittedError` without CAP_SYS_ADMIN."""
        return wire.read_version(self._ask(wire.VERSION, CONTROL, "asking for its version"))

    def target_versions(self) -> dict[str, str]:
        """Version of every target type whose module is loaded."""
        return wire.read_target_versions(self._ask(wire.LIST_VERSIONS, CONTROL, "listing target types"))

    def wait_for_event(self, seconds: float) -> bool:
        """Whether a device had an event since the node was opened or the last one was told, within so many seconds.

        Raises:
            MachineError: the kernel is older than 4.14 (interface 4.37), whose node says at once that it is ready.
        """
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        heard = bool(waiting.poll(seconds * 1000))
        if heard:
            self._ask(wire.ARM_POLL, CONTROL, "asking to be told of events")
        return heard

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        """Every mapped device, in the kernel's order."""
        reply = self._ask(wire.LIST_DEVICES, CONTROL, "listing devices", size_bytes=self._list_bytes)
        self._list_bytes = len(reply)
        entries = wire.read_list(reply)
        if len(self._known) > len(entries):
            present = {entry.name for entry in entries}
            self._known = {name: known for name, known in self._known.items() if name in present}
        return entries

    def info(self, name: str) -> DeviceInfo:
        """State of one device; raises `DeviceMissingError`."""
        return wire.read_info(self._ask(wire.DEVICE_STATUS, name, "asking for its state"))

    def status(self, name: str) -> DeviceReading:
        """Status of one device without a commit; raises `DeviceMissingError`."""
        # A poll of 10,000 devices spends its time here. Mostly nothing has changed since the last one: then the bytes
        # are the same, and comparing them is much cheaper than reading them again.
        encoded = name.encode()
        if len(encoded) >= wire.NAME_BYTES:
            return self.query(name, wire.FLAG_NO_FLUSH)
        reply = bytearray(_STATUS_REQUEST)
        wire.set_name(reply, encoded)
        try:
            fcntl.ioctl(self._fd, _STATUS, reply)
        except OSError as error:
            raise machine_error(error.errno or 0, name, "asking for its status") from None
        known = self._known.get(name)
        info = None
        if known is not None and reply.startswith(known[0], wire.HEADER_COMPARED_AT):
            if reply.startswith(known[1], wire.HEADER_BYTES):
                return known[2]
            info = known[2].info
        if wire.is_full(reply):
            return self.query(name, wire.FLAG_NO_FLUSH)
        reading = wire.read_reading(reply, info)
        self._known[name] = (*wire.compared_parts(reply), reading)
        return reading

    def query(self, name: str, flags: int) -> DeviceReading:
        """Status or table of one device, by flags (`wire.FLAG_TABLE`, `wire.FLAG_NO_FLUSH`)."""
        doing = "asking for its table" if flags & wire.FLAG_TABLE else "asking for its status"
        return wire.read_reading(self._ask(wire.TABLE_STATUS, name, doing, flags=flags))

    def dependencies(self, name: str) -> tuple[DeviceNumber, ...]:
        """The devices a device's table stands on; raises `DeviceMissingError`."""
        return wire.read_dependencies(self._ask(wire.TABLE_DEPENDENCIES, name, "asking for its dependencies"))

    def _ask(
        self, command: int, subject: str, doing: str, *, flags: int = 0, size_bytes: int = _FIRST_BYTES
    ) -> bytearray:
        name = b"" if subject == CONTROL else _encoded(subject)
        while True:
            reply = wire.request(size_bytes, name, flags)
            try:
                self._call(wire.ioctl_number(command), reply)
            except OSError as error:
                number = error.errno or 0
                if subject == CONTROL and number in (errno.EACCES, errno.EPERM):
                    raise MachineNotPermittedError(
                        subject,
                        "may be opened but not used: CAP_SYS_ADMIN is missing (a container, or a user namespace)",
                        "run as root of the host, or with --machine emulated",
                        number,
                    ) from None
                raise machine_error(number, subject, doing) from None
            if not wire.is_full(reply) or size_bytes >= _MOST_BYTES:
                return reply
            size_bytes *= 4

    def _call(self, number: int, reply: bytearray) -> None:
        if len(reply) <= _FIRST_BYTES:
            fcntl.ioctl(self._fd, number, reply)
            return
        # fcntl.ioctl would hold the interpreter's lock with so large a buffer; ctypes does not.
        view = (ctypes.c_char * len(reply)).from_buffer(reply)
        if _libc.ioctl(self._fd, number, ctypes.byref(view)) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def _encoded(name: str) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) < wire.NAME_BYTES or b"\0" in encoded:
        raise InvalidError(name, "is no device name: 1 to 127 bytes", "check the name", errno.EINVAL)
    return encoded
