"""Reads on the emulated machine: which of them come to an end, and which fail."""

import errno

import pytest

from dmtui.machine.errors import DeviceMissingError, InvalidError, MachineError, TimedOutError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK


def read(bench, name: str, offset: int = 0, length: int = BLOCK) -> int:
    return bench.machine.read(name, offset_bytes=offset, length_bytes=length)


def refused(bench, name: str, *place: int) -> int:
    with pytest.raises(MachineError) as caught:
        read(bench, name, *place)
    return caught.value.errno


def test_what_is_not_mapped_reads_as_zeros_and_maps_nothing(bench):
    bench.thin(1)
    assert read(bench, "t1", 5 * BLOCK, 3 * BLOCK) == 3 * BLOCK
    assert bench.line("t1").split()[3] == "0"


def test_a_read_ends_with_the_device(bench):
    bench.thin(1, blocks=3)
    assert read(bench, "t1", 2 * BLOCK, 5 * BLOCK) == BLOCK
    assert read(bench, "t1", 9 * BLOCK) == 0


def test_a_place_before_the_device_is_no_place(bench):
    bench.thin(1)
    with pytest.raises(InvalidError):
        read(bench, "t1", -BLOCK)
    with pytest.raises(DeviceMissingError):
        read(bench, "t2")


def test_a_read_of_a_suspended_device_waits_for_it_or_for_its_pool(bench):
    bench.thin(1)
    for name in ("t1", "p"):
        bench.mapper.suspend(name)
        with pytest.raises(TimedOutError):
            read(bench, "t1")
        bench.mapper.resume(name)
    assert read(bench, "t1") == BLOCK


def test_a_read_on_a_pool_without_space_is_served(make_bench):
    bench = make_bench(blocks=2, words="0 1 error_if_no_space")
    bench.thin(1)
    bench.write("t1", 0, 1)
    with pytest.raises(MachineError):
        bench.write("t1", 2)
    assert read(bench, "t1", 0, 4 * BLOCK) == 4 * BLOCK


def test_the_types_of_targets_read_as_in_the_kernel(bench):
    lines = {"error": "", "zero": "", "linear": f"{bench.data} 0"}
    for kind, params in lines.items():
        bench.mapper.create(kind, [Target(0, 128, kind, params)])
    assert refused(bench, "error") == errno.EIO
    assert read(bench, "zero") == read(bench, "linear") == BLOCK


def test_what_a_thin_does_not_map_is_read_from_its_origin_as_far_as_that_goes(bench):
    bench.mapper.create("bad", [Target(0, 128, "zero", ""), Target(128, 128, "error", "")])
    bench.msg("create_thin 1")
    bench.mapper.create("t1", [Target(0, 10 * 128, "thin", "/dev/mapper/p 1 /dev/mapper/bad")])
    assert read(bench, "t1", 0) == BLOCK
    assert refused(bench, "t1", BLOCK) == errno.EIO
    assert read(bench, "t1", 2 * BLOCK, 8 * BLOCK) == 8 * BLOCK
    # A part of a block needs the rest from the origin, a whole one does not.
    bench.write("t1", 0)
    with pytest.raises(MachineError, match="EIO"):
        bench.write("t1", 1)
    assert bench.figures.startswith("2/1024")  # a block is lost
    bench.machine.write("t1", offset_bytes=BLOCK, length_bytes=BLOCK)
    assert read(bench, "t1", BLOCK) == BLOCK
