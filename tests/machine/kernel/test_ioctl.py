"""Reading by ioctl, with the kernel played by bytes."""

import errno
import struct

import pytest

from dmtui.machine.errors import (
    DeviceMissingError,
    InvalidError,
    MachineNotPermittedError,
    NoDeviceMapperError,
)
from dmtui.machine.kernel import ioctl, wire
from tests.machine.kernel import replies


@pytest.fixture
def kernel(monkeypatch):
    """Answers by ioctl number: a reply, or an errno to fail with."""
    answers = {}

    def answer(_fd, number, buffer, *_):
        found = answers[number & 0xFF]
        if isinstance(found, int):
            raise OSError(found, "refused")
        buffer[: len(found)] = found[: len(buffer)]

    monkeypatch.setattr(ioctl.fcntl, "ioctl", answer)
    return answers


@pytest.fixture
def control():
    opened = ioctl.Control("/dev/null")
    yield opened
    opened.close()


def test_an_unchanged_status_is_the_same_reading(kernel, control):
    kernel[wire.TABLE_STATUS] = replies.POOL_STATUS
    assert control.status("p1") is control.status("p1")


def test_a_changed_line_is_read_again(kernel, control):
    kernel[wire.TABLE_STATUS] = replies.POOL_STATUS
    before = control.status("p1")
    kernel[wire.TABLE_STATUS] = replies.POOL_STATUS.replace(b"112/1024", b"113/1024")
    after = control.status("p1")
    assert "113/1024" in after.targets[0].params
    assert after.info is before.info


def test_a_longer_line_that_begins_like_the_last_one_is_read_again(kernel, control):
    kernel[wire.TABLE_STATUS] = replies.THIN_STATUS
    control.status("t0")
    longer = bytearray(replies.THIN_STATUS)
    longer[352:358] = b"0 -123"
    kernel[wire.TABLE_STATUS] = bytes(longer)
    assert control.status("t0").targets[0].params == "0 -123"


def test_a_changed_header_is_read_again(kernel, control):
    kernel[wire.TABLE_STATUS] = replies.THIN_STATUS
    control.status("t0")
    changed = bytearray(replies.THIN_STATUS)
    struct.pack_into("=I", changed, 24, 5)
    kernel[wire.TABLE_STATUS] = bytes(changed)
    assert control.status("t0").info.open_count == 5


def test_what_was_known_of_devices_that_are_gone_is_forgotten(kernel, control):
    kernel[wire.LIST_DEVICES] = replies.LIST
    kernel[wire.TABLE_STATUS] = replies.THIN_STATUS
    for name in ("a", "b", "t0"):
        control.status(name)
    first = control.status("a")
    control._list_bytes = 1024
    control.list_devices()
    assert control.status("a") is not first


def test_a_missing_device_is_told_by_name(kernel, control):
    kernel[wire.TABLE_STATUS] = errno.ENXIO
    with pytest.raises(DeviceMissingError, match=r"^nothing: "):
        control.status("nothing")


def test_a_refusal_is_told_as_one(kernel, control):
    kernel[wire.VERSION] = errno.EACCES
    with pytest.raises(MachineNotPermittedError, match="CAP_SYS_ADMIN"):
        control.version()


@pytest.mark.parametrize("name", ["", "x" * 128, "a\0b"])
def test_a_name_that_is_none_never_reaches_the_kernel(kernel, control, name):
    with pytest.raises(InvalidError):
        control.info(name)


def test_a_status_that_does_not_fit_is_asked_for_again_with_more_room(kernel, control, monkeypatch):
    full = bytearray(replies.THIN_STATUS)
    struct.pack_into("=I", full, 28, wire.FLAG_BUFFER_FULL)
    kernel[wire.TABLE_STATUS] = bytes(full)
    sizes = []

    def grown(_self, _number, reply):
        sizes.append(len(reply))
        reply[:1024] = replies.THIN_STATUS if len(reply) >= 16384 else bytes(full)

    monkeypatch.setattr(ioctl.Control, "_call", grown)
    assert control.status("t0").targets[0].params == "0 -"
    assert sizes == [1024, 4096, 16384]


def test_without_a_node_there_is_no_device_mapper(tmp_path):
    with pytest.raises(NoDeviceMapperError, match="modprobe dm-thin-pool"):
        ioctl.Control(str(tmp_path / "control"))
