"""Sizes, numbers and names as people and kernels write them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MalformedError
from dmtui.thinpool.names import GraphPrefix, Owner, lvm_display_name, owner_of, split_lvm_name
from dmtui.thinpool.sizes import SizeStyle, format_size, parse_size
from dmtui.thinpool.units import metadata_reserve_blocks

VECTORS = [
    (0, "0 B"),
    (512, "512 B"),
    (65536, "65.54 kB"),
    (524288, "524.3 kB"),
    (1728512, "1.729 MB"),
    (1201799168, "1.202 GB"),
    (2147483648, "2.147 GB"),
    (10737418240, "10.74 GB"),
    (107374182400, "107.4 GB"),
    (999950000, "1000 MB"),
]


@pytest.mark.parametrize(("size", "text"), VECTORS)
def test_sizes_are_printed_in_both_styles_of_the_original(size, text):
    assert format_size(size, SizeStyle.SPACED) == text
    assert format_size(size, SizeStyle.ATTACHED) == text.replace(" ", "")


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (65536, "64 KiB"), (1536 * 1024, "1.5 MiB"), (2**40, "1 TiB")])
def test_sizes_are_printed_in_binary(size, text):
    assert format_size(size, SizeStyle.BINARY) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10G", 10 * 2**30),
        ("64k", 65536),
        ("64 KiB", 65536),
        ("1.5M", 1572864),
        ("300", 300),
        ("7b", 7),
        ("2tb", 2**41),
    ],
)
def test_sizes_are_read_in_the_original_syntax(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1  G", "10X", "0x10", "1e3", "ten", "nan", "\u0663G"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(BadUsageError):
        parse_size(text)


@pytest.mark.parametrize("text", ["8192P", "9" * 5000, "9" * 400 + ".5", "1" + "0" * 30])
def test_a_size_that_nothing_can_have_is_refused_with_what_can_be(text):
    """No file, device or record holds 2^63 bytes or more: it would be refused far later, or taken for garbage."""
    assert parse_size("9223372036854775807") == 2**63 - 1
    with pytest.raises(BadUsageError, match="less than 8192P"):
        parse_size(text)


@given(st.integers(0, 4095), st.integers(0, 2**20 - 1))
def test_device_numbers_survive_text_and_packing(major, minor):
    number = DeviceNumber(major, minor)
    assert DeviceNumber.parse(str(number)) == number
    assert DeviceNumber.unpack(number.pack()) == number


def test_packing_is_that_of_stat():
    found = Path("/").stat().st_dev
    if found < 2**32:
        assert DeviceNumber.unpack(found) == DeviceNumber(os.major(found), os.minor(found))


@pytest.mark.parametrize("text", ["", "7", "7:", ":0", "7:0:1", "a:0", "-1:0", " 7:0"])
def test_what_is_no_device_number_is_refused(text):
    with pytest.raises(MalformedError):
        DeviceNumber.parse(text)


def test_a_graph_directory_names_its_pool_and_devices_as_the_original_does():
    prefix = GraphPrefix(DeviceNumber(253, 1), 17538953)
    assert prefix.pool_name == "docker-253:1-17538953-pool"
    assert prefix.device_name("") == "docker-253:1-17538953-base"
    assert prefix.device_name("cafe-init") == "docker-253:1-17538953-cafe-init"


@pytest.mark.parametrize(
    ("name", "uuid", "devices", "owner"),
    [
        ("docker-8:1-42-pool", "", [], Owner.DOCKER),
        ("docker-8:1-42-pool", "DMTUI-docker-8:1-42-pool", [], Owner.DMTUI),
        ("vg-pool-tpool", "LVM-abc-tpool", ["vg-a"], Owner.LVM),
        ("docker-8:1-42-pool", "LVM-abc", [], Owner.LVM),
        ("thin", "", ["thin-snap-1", "thin-snap-2"], Owner.CONTAINERD),
        ("thin", "", ["other-snap-1"], Owner.UNKNOWN),
        ("thin", "", ["docker-8:1-42-cafe"], Owner.DOCKER),
        ("t.in", "", ["thin-snap-1"], Owner.UNKNOWN),
        ("thin", "", [], Owner.UNKNOWN),
    ],
)
def test_the_owner_is_told_by_uuid_then_name_then_devices(name, uuid, devices, owner):
    assert owner_of(name, uuid, devices) is owner


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("vg-pool-tpool", "vg/pool"),
        ("vg--a-thin--b", "vg-a/thin-b"),
        ("vg-pool_tdata", "vg/pool"),
        ("strange", "strange"),
    ],
)
def test_lvm_devices_are_shown_by_their_lvm_names(name, shown):
    assert lvm_display_name(name) == shown


lvm_names = st.text("abc-", min_size=1).filter(lambda name: not name.startswith("-") and not name.endswith("-"))


@given(lvm_names, lvm_names)
def test_every_lvm_name_is_split_where_lvm_joined_it(group, volume):
    joined = f"{group.replace('-', '--')}-{volume.replace('-', '--')}"
    assert split_lvm_name(joined) == (group, volume)


@pytest.mark.parametrize(("total", "reserve"), [(1024, 102), (16384, 1638), (4161600, 4096)])
def test_the_hidden_reserve_is_a_tenth_up_to_4096_blocks(total, reserve):
    assert metadata_reserve_blocks(total) == reserve


def test_an_error_is_one_line_of_object_event_and_next_step():
    assert str(DmtuiError("pool x", "is\nbusy", "wait")) == "pool x: is busy; wait"
    assert str(DmtuiError("pool x", "is busy")) == "pool x: is busy"
