"""What a pool has free, by the text of thin_dump: nothing that is used is ever in it."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.machine.errors import MachineError
from dmtui.machine.kernel.trimming import FreeBlocks, device_bytes

HEAD = '<superblock uuid="" time="1" transaction="2" flags="0" version="2" data_block_size="128" nr_data_blocks="{}">'
DEVICE = '  <device dev_id="1" mapped_blocks="16" transaction="0" creation_time="0" snap_time="1">'
TAIL = ["  </device>", "</superblock>"]


def single(block) -> str:
    return f'    <single_mapping origin_block="7" data_block="{block}" time="0"/>'


def run(first, count) -> str:
    return f'    <range_mapping origin_begin="900" data_begin="{first}" length="{count}" time="0"/>'


def free(*mappings, total=100):
    return FreeBlocks([HEAD.format(total), DEVICE, *mappings, *TAIL], "metadata")


def test_the_size_of_pool_and_block_are_told():
    assert (free().total_blocks, free().block_bytes) == (100, 64 << 10)


@pytest.mark.parametrize(
    ("mappings", "runs"),
    [
        ([], ((0, 100),)),
        ([single(0)], ((1, 99),)),
        ([single(99)], ((0, 99),)),
        ([run(0, 100)], ()),
        ([run(10, 5), single(16)], ((0, 10), (15, 1), (17, 83))),
        ([single(16), run(10, 5)], ((0, 10), (15, 1), (17, 83))),
        ([run(10, 5), run(10, 5), run(12, 10)], ((0, 10), (22, 78))),
    ],
)
def test_what_no_thin_device_uses_is_free(mappings, runs):
    assert free(*mappings).runs == runs


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 30)).filter(lambda run: sum(run) <= 100)))
def test_every_block_is_either_used_or_free(runs):
    used = {block for first, count in runs for block in range(first, first + count)}
    found = free(*(run(first, count) for first, count in runs)).runs
    assert [block for first, count in found for block in range(first, first + count)] == sorted(set(range(100)) - used)


def test_blocks_within_a_named_part_are_used_too():
    lines = [HEAD.format(4), '  <def name="7">', run(0, 2), "  </def>", DEVICE, '    <ref name="7"/>', *TAIL]
    assert FreeBlocks(lines, "metadata").runs == ((2, 2),)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [HEAD.format(10), DEVICE, run(0, 1)],
        [DEVICE, run(0, 1), *TAIL],
        [DEVICE, *TAIL],
        [HEAD.format(10), DEVICE, run(9, 2), *TAIL],
        [HEAD.format(10), DEVICE, single(10), *TAIL],
        [HEAD.format(10), DEVICE, '<range_mapping data_begin="0"', *TAIL],
        ["garbage"],
    ],
    ids=["nothing", "cut off", "no pool", "no pool, no block", "run too long", "block too high", "odd line", "garbage"],
)
def test_what_is_no_whole_pool_is_refused(lines):
    with pytest.raises(MachineError):
        FreeBlocks(lines, "metadata")


def test_a_file_has_no_size_as_a_device(tmp_path):
    file = os.open(tmp_path / "f", os.O_CREAT | os.O_RDWR)
    with pytest.raises(MachineError, match="ENOTTY"):
        device_bytes(file, "f")
    os.close(file)
