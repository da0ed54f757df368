"""The kernel as a player uses it: device-mapper by bare ioctls, without udev, and nodes past the page cache.

libdevmapper would wait for udev at each create and remove, which is most of the time of a course; run with udev's
queue stopped (`quiet`), so that nobody but the player opens a device.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

from dmtui.machine.errors import DeviceMissingError, TimedOutError, machine_error
from dmtui.machine.kernel import wire
from dmtui.machine.kernel.ioctl import Control
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading
from dmtui.thinpool.table import Target
from tests.machine.differential.dumps import Dump
from tests.machine.differential.player import TICK_SECONDS

CREATE, REMOVE, SUSPEND, LOAD, MESSAGE = 3, 4, 6, 9, 14
NO_LOCKFS = 0x400
BLKDISCARD = 0x1277
RCU_EXPEDITED = Path("/sys/kernel/rcu_expedited")
NO_SPACE_TIMEOUT = Path("/sys/module/dm_thin_pool/parameters/no_space_timeout")
HANG_SECONDS = 30.0
POLL_SECONDS = 0.02
WAITING_SECONDS = 0.1
"""What is not through by then waits, where there is a reason for it."""
SETTLE_SECONDS = 0.05
_BUFFER_BYTES = 4096
_SUPERBLOCK_BYTES = 4096


class HungError(Exception):
    """The kernel did not come back where it should."""


class KernelSide:
    """Device-mapper, input and output of the running kernel."""

    def __init__(self) -> None:
        self._control = Control()
        self._fd = os.open("/dev/mapper/control", os.O_RDWR | os.O_CLOEXEC)
        self._opened: dict[str, list[int]] = {}
        self._memory = mmap.mmap(-1, 64 << 20)
        self._waiting: list[Waiting] = []
        self.ticked = False
        """The kernel's clock has brought a commit since `keep_disk`."""

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        return self._control.list_devices()

    def info(self, name: str) -> DeviceInfo:
        return self._control.info(name)

    def table(self, name: str) -> DeviceReading:
        return self._control.query(name, wire.FLAG_TABLE)

    def status(self, name: str) -> DeviceReading:
        return self._control.query(name, wire.FLAG_NO_FLUSH)

    def status_flush(self, name: str) -> DeviceReading:
        return self._control.query(name, 0)

    def create(self, name: str, targets: list[Target], *, read_only: bool = False) -> None:
        self._change(CREATE, name)
        try:
            self.load(name, targets, read_only=read_only)
            self._change(SUSPEND, name)
        except Exception:
            self._change(REMOVE, name)
            raise

    def load(self, name: str, targets: list[Target], *, read_only: bool = False) -> None:
        payload = b""
        for target in targets:
            params = target.params.encode() + b"\0"
            step = 40 + len(params) + -len(params) % 8
            head = (target.start_sectors, target.length_sectors, 0, step, target.type.encode())
            payload += (struct.pack("=QQiI16s", *head) + params).ljust(step, b"\0")
        flags = wire.FLAG_READ_ONLY if read_only else 0
        self._change(LOAD, name, flags=flags, payload=payload, targets=len(targets))

    def suspend(self, name: str, *, flush: bool, lock_filesystem: bool) -> None:
        flags = wire.FLAG_SUSPENDED | (0 if flush else wire.FLAG_NO_FLUSH) | (0 if lock_filesystem else NO_LOCKFS)
        self._change(SUSPEND, name, flags=flags)

    def resume(self, name: str) -> None:
        self._change(SUSPEND, name)

    def remove(self, name: str, *, deferred: bool = False) -> None:
        marked = self._some_marked()
        self._change(REMOVE, name, flags=wire.FLAG_DEFERRED_REMOVE if deferred else 0)
        self._settle(marked=marked)

    def message(self, name: str, text: str) -> None:
        self._change(MESSAGE, name, payload=struct.pack("=Q", 0) + text.encode() + b"\0")

    def _change(self, command: int, name: str, *, flags: int = 0, payload: bytes = b"", targets: int = 0) -> None:
        buffer = wire.request(max(1024, wire.HEADER_BYTES + len(payload)), name.encode(), flags)
        struct.pack_into("=I", buffer, 20, targets)
        buffer[wire.HEADER_BYTES : wire.HEADER_BYTES + len(payload)] = payload
        _bounded(lambda: fcntl.ioctl(self._fd, wire.ioctl_number(command), buffer), name, f"ioctl {command}")

    def read(self, name: str, offset: int, length: int) -> None:
        def use(device: int) -> None:
            done = 0
            while done < length:
                got = os.preadv(device, [memoryview(self._memory)[: length - done]], offset + done)
                if not got:
                    return  # the end of the device
                done += got

        self._use(name, use)

    def write(self, name: str, offset: int, length: int) -> None:
        def use(device: int) -> None:
            done = 0
            while done < length:
                done += os.pwrite(device, memoryview(self._memory)[: length - done], offset + done)

        self._use(name, use)

    def begin(self, verb: str, name: str, offset: int, length: int) -> None:
        """Do what may have to wait for space: it waits where it has not ended while the pool has none."""
        path = f"/dev/dm-{self._control.info(name).dev.minor}"
        try:
            device = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        except OSError as error:
            raise machine_error(error.errno or 0, name, "opening it") from None
        work = Waiting(name, device, (verb, memoryview(self._memory)[:length], offset))
        give_up_at = time.monotonic() + HANG_SECONDS
        full_since = None
        while work.is_alive() and not (full_since and time.monotonic() - full_since > WAITING_SECONDS):
            if time.monotonic() > give_up_at:
                raise HungError(f"{name}: input or output has not come back")
            work.join(POLL_SECONDS)
            full_since = (full_since or time.monotonic()) if work.is_alive() and self._is_full() else None
        if work.is_alive():
            self._waiting.append(work)
            raise TimedOutError(name, "waits", "", errno.ETIMEDOUT)
        if work.error:
            raise machine_error(work.error, name, "input or output")

    def _is_full(self) -> bool:
        return any("out_of_data_space" in target.params for target in self.status("pool").targets)

    def ended(self) -> list[tuple[str, int]]:
        """What has waited and has ended since this was asked, oldest first: its device, its errno or 0."""
        marked = bool(self._waiting) and self._some_marked()
        self._let_go_on(WAITING_SECONDS)
        ended = [work for work in self._waiting if not work.is_alive()]
        self._waiting = [work for work in self._waiting if work.is_alive()]
        self._settle(marked=marked and bool(ended))  # each has closed its device
        return [(work.device, work.error) for work in ended]

    def settle(self) -> None:
        """Let what waits go on as far as it can after a look at the pool, which gives space at the most."""
        self._let_go_on(0)

    def _let_go_on(self, held_seconds: float) -> None:
        """Come back when all that waits has had a reason for it for so long."""
        alive, quiet_since = -1, 0.0
        while waiting := [work for work in self._waiting if work.is_alive()]:
            if len(waiting) != alive:
                alive, quiet_since = len(waiting), time.monotonic()
            quiet = time.monotonic() - quiet_since
            if quiet > TICK_SECONDS or (quiet >= held_seconds and self._is_held(waiting)):
                return
            waiting[0].join(POLL_SECONDS)

    def _is_held(self, waiting: list[Waiting]) -> bool:
        """Whether all that waits has a reason for it."""
        with suppress(DeviceMissingError):
            if self._control.info("pool").suspended or self._is_full():
                return True
        return all(self._control.info(work.device).suspended for work in waiting)

    def waiting(self) -> set[str]:
        """Devices inside which something waits."""
        return {work.device for work in self._waiting}

    def discard(self, name: str, offset: int, length: int) -> None:
        if self.waiting():
            # What it frees is given out after a commit: at once where the last one was a second ago.
            time.sleep(TICK_SECONDS)
        arguments = struct.pack("=QQ", offset, length)
        self._use(name, lambda device: fcntl.ioctl(device, BLKDISCARD, arguments))

    def _use(self, name: str, use: Callable[[int], object]) -> None:
        info = self._control.info(name)

        def open_and_use() -> None:
            device = os.open(f"/dev/dm-{info.dev.minor}", os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
            try:
                use(device)
            finally:
                os.close(device)

        _bounded(open_and_use, name, "input or output")

    def open(self, name: str) -> None:
        path = f"/dev/dm-{self._control.info(name).dev.minor}"
        try:
            self._opened.setdefault(name, []).append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            raise machine_error(error.errno or 0, name, "opening it") from None

    def close(self, name: str) -> None:
        marked = self._some_marked()
        os.close(self._opened[name].pop())
        self._settle(marked=marked)

    def _settle(self, *, marked: bool) -> None:
        """Wait for what is marked for removal: it goes a moment later, its hold of the pool next, its pool last."""
        give_up_at = time.monotonic() + 2
        while marked and time.monotonic() < give_up_at:
            time.sleep(SETTLE_SECONDS)
            if not any(self._goes(entry.name) for entry in self.list_devices()):
                time.sleep(SETTLE_SECONDS)
                marked = any(self._goes(entry.name) for entry in self.list_devices())

    def _some_marked(self) -> bool:
        """Whether a device would go by itself if it were closed."""
        for entry in self.list_devices():
            with suppress(DeviceMissingError):
                if self._control.info(entry.name).deferred_remove:
                    return True
        return False

    def _goes(self, name: str) -> bool:
        with suppress(DeviceMissingError):
            info = self._control.info(name)
            return info.deferred_remove and not info.open_count
        return False

    def close_all(self) -> None:
        for name, devices in self._opened.items():
            while devices:
                self.close(name)

    def keep_disk(self, metadata_path: str) -> None:
        """From now on know what is on the disk under the metadata."""
        self._disk = Path(metadata_path)
        self._kept = self._disk.read_bytes()
        self.ticked = False

    def keep_what_is_committed(self, *, commits: bool) -> None:
        """After an operation: keep the disk as it is then, unless the kernel's clock alone has brought a commit."""
        image = self._disk.read_bytes()
        ticked = not commits and image[:_SUPERBLOCK_BYTES] != self._kept[:_SUPERBLOCK_BYTES]
        if ticked:
            self.ticked = True
        else:
            self._kept = image

    def cut_power(self, clear: Callable[[], None]) -> None:
        """Let the metadata's disk be as it was last kept, before all that clearing away writes to it."""
        clear()
        with self._disk.open("r+b") as disk:
            disk.write(self._kept)

    def clear_needs_check(self, metadata_path: str, disk: str) -> None:
        checking = ["thin_check", "--clear-needs-check-flag", f"/dev/dm-{disk.split(':')[1]}"]
        done = subprocess.run(checking, capture_output=True, text=True, check=False)
        if done.returncode:
            raise machine_error(errno.EINVAL, metadata_path, "clearing its needs-check flag")

    def dump(self, metadata_path: str) -> list[str]:
        done = subprocess.run(["thin_dump", metadata_path], capture_output=True, text=True, check=False)
        if done.returncode:
            return ["no metadata"]
        root = ElementTree.fromstring(done.stdout)
        dump = Dump(int(root.get("transaction", 0)), int(root.get("time", 0)))
        for device in root:
            words = ("dev_id", "mapped_blocks", "transaction", "creation_time", "snap_time")
            dump.thin(*(int(device.get(word, 0)) for word in words))
            for mapping in device:
                if mapping.tag == "single_mapping":
                    words, length = ("origin_block", "data_block", "time"), 1
                else:
                    words, length = ("origin_begin", "data_begin", "time"), int(mapping.get("length", 0))
                dump.mapping(*(int(mapping.get(word, 0)) for word in words), length)
        return dump.lines()


class Waiting(threading.Thread):
    """A write or a flush of a thread of its own, which may have to wait in the kernel; it has the device open."""

    def __init__(self, device: str, opened: int, what: tuple[str, memoryview, int]) -> None:
        super().__init__(daemon=True)
        self.device, self.error = device, 0
        self._opened, self._what = opened, what
        self.start()

    def run(self) -> None:
        """Do it, and close the device."""
        verb, content, offset = self._what
        try:
            if verb == "flush":
                os.fsync(self._opened)
            elif os.pwrite(self._opened, content, offset) < len(content):
                self.error = errno.ENOSPC  # the end of the device
        except OSError as error:
            self.error = error.errno or 0
        finally:
            os.close(self._opened)


def _bounded(act: Callable[[], object], name: str, doing: str) -> None:
    """Do it in a thread of its own, so that a hang in the kernel ends the course and not the run."""
    raised: list[OSError] = []

    def work() -> None:
        try:
            act()
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    if thread.is_alive():
        raise HungError(f"{name}: {doing} has not come back")
    if raised:
        raise machine_error(raised[0].errno or 0, name, doing)


def _expedite_rcu(value: str) -> None:
    # Most of a table's change is waiting for RCU; expedited it is the same wait, but short.
    with suppress(PermissionError):  # a kernel for one processor never waits
        RCU_EXPEDITED.write_text(value)


@contextmanager
def quiet() -> Iterator[None]:
    """No udev meanwhile: it would open devices behind the player's back. Its backlog is dropped with it."""
    _expedite_rcu("1")
    NO_SPACE_TIMEOUT.write_text("0")  # how long writers wait is not what is compared
    subprocess.run(["udevadm", "settle"], check=True)
    subprocess.run(["udevadm", "control", "--stop-exec-queue"], check=True)
    try:
        yield
    finally:
        _expedite_rcu("0")
        NO_SPACE_TIMEOUT.write_text("60")
        subprocess.run(["udevadm", "control", "--exit"], check=True)
        subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True)
