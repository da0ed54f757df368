"""Mounts leaked into another namespace keep a device busy, until their process ends."""

import errno

import pytest

from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, MachineError


def test_a_leaked_mount_keeps_the_device_busy(bench):
    bench.thin(1)
    pid = bench.machine.leaks.begin("t1")
    assert [(leak.pid, leak.device_name) for leak in bench.machine.leaks.list_held()] == [(pid, "t1")]
    assert bench.mapper.info("t1").open_count == 1
    with pytest.raises(DeviceBusyError):
        bench.mapper.remove("t1")
    bench.machine.leaks.end(pid)
    bench.mapper.remove("t1")


def test_a_deferred_removal_waits_for_the_last_of_them(bench):
    bench.thin(1)
    first, second = (bench.machine.leaks.begin("t1") for _ in range(2))
    bench.mapper.remove("t1", deferred=True)
    bench.machine.leaks.end(second)
    assert bench.mapper.info("t1").deferred_remove
    bench.machine.leaks.end(first)
    with pytest.raises(DeviceMissingError):
        bench.mapper.info("t1")


def test_an_unknown_process_and_an_unknown_device_are_said_to_be(bench):
    with pytest.raises(MachineError) as caught:
        bench.machine.leaks.end(1)
    assert caught.value.errno == errno.ESRCH
    with pytest.raises(DeviceMissingError):
        bench.machine.leaks.begin("nothing")


def test_no_process_survives_a_reboot(bench):
    bench.thin(1)
    bench.machine.leaks.begin("t1")
    bench.machine.reboot()
    assert bench.machine.leaks.list_held() == ()
