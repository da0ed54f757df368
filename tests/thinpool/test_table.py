"""Tables of pools and thin devices are read and printed as the kernel prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.table import PoolTable, Target, ThinTable

FEATURES = ["skip_block_zeroing", "ignore_discard", "no_discard_passdown", "read_only", "error_if_no_space"]


@pytest.mark.parametrize(
    "params",
    [
        "7:1 7:0 128 32768 1 skip_block_zeroing ",
        "7:1 7:0 128 0 0 ",
        "254:1 254:2 1024 18446744073709551615 2 ignore_discard error_if_no_space ",
    ],
)
def test_a_pool_table_is_printed_back_as_the_kernel_prints_it(params):
    assert PoolTable.parse(params).params() == params


def test_a_loaded_table_without_a_feature_count_is_read():
    assert PoolTable.parse("/dev/loop1 /dev/loop0 128 0").params() == "/dev/loop1 /dev/loop0 128 0 0 "


def test_features_are_ordered_and_repeated_ones_are_dropped():
    table = PoolTable.parse("7:1 7:0 128 0 3 error_if_no_space Skip_Block_Zeroing error_if_no_space")
    assert table.features == ("skip_block_zeroing", "error_if_no_space")


@pytest.mark.parametrize(
    "params", ["", "7:1 7:0 128", "7:1 7:0 x 0", "7:1 7:0 128 0 1", "7:1 7:0 128 0 1 fly", "7:1 7:0 128 0 x"]
)
def test_a_wrong_pool_table_is_refused(params):
    with pytest.raises(MalformedError):
        PoolTable.parse(params)


devices = st.builds("{}:{}".format, st.integers(0, 4095), st.integers(0, 2**20 - 1))


@given(devices, devices, st.integers(128, 2**21), st.integers(0, 2**64 - 1), st.lists(st.sampled_from(FEATURES)))
def test_every_pool_table_survives(metadata, data, block, low_water, features):
    table = PoolTable.parse(PoolTable(metadata, data, block, low_water, tuple(features)).params())
    assert set(table.features) == set(features)
    assert PoolTable.parse(table.params()) == table


@given(devices, st.integers(0, 2**24 - 1), st.none() | devices)
def test_every_thin_table_survives(pool, thin_id, origin):
    table = ThinTable(pool, thin_id, origin)
    assert ThinTable.parse(table.params()) == table
    assert not table.params().endswith(" ")


@pytest.mark.parametrize("params", ["", "254:0", "254:0 x", "254:0 1 7:0 more"])
def test_a_wrong_thin_table_is_refused(params):
    with pytest.raises(MalformedError):
        ThinTable.parse(params)


@pytest.mark.parametrize("line", ["0 131072 thin-pool 7:1 7:0 128 0 0 ", "0 8 error ", "5 8 linear 7:0 0"])
def test_a_target_line_is_printed_back(line):
    assert str(Target.parse(line)) == line


@pytest.mark.parametrize("line", ["", "0", "0 8", "x 8 linear", "0 -8 linear"])
def test_a_wrong_target_line_is_refused(line):
    with pytest.raises(MalformedError):
        Target.parse(line)
