"""Storage options in the original's syntax."""

import pytest

from dmtui.deviceset.loopfiles import DEFAULT_BYTES
from dmtui.deviceset.options import Options, parse_options
from dmtui.thinpool.errors import BadUsageError


def test_without_options_the_defaults_of_the_original_hold():
    options = parse_options([])
    assert options == Options()
    assert DEFAULT_BYTES == {"data": 107374182400, "metadata": 2147483648}
    assert (options.loop_data_size_bytes, options.loop_metadata_size_bytes) == (None, None)
    assert (options.block_size_bytes, options.min_free_percent) == (65536, 10)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("dm.basesize=20G", "base_size_bytes", 20 * 2**30),
        (" DM.BaseSize = 20G ", "base_size_bytes", 20 * 2**30),
        ("dm.fs=xfs", "filesystem", "xfs"),
        ("dm.thinpooldev=/dev/mapper/a=b", "thin_pool_device", "/dev/mapper/a=b"),
        ("dm.min_free_space=0%", "min_free_percent", 0),
        ("dm.use_deferred_removal=F", "deferred_removal", False),
        ("dm.blocksize=128k", "block_size_bytes", 131072),
        ("dm.libdm_log_level=7", "libdm_log_level", 7),
        ("dm.xfs_nospace_max_retries=0", "xfs_nospace_max_retries", 0),
    ],
)
def test_an_option_is_read(text, name, value):
    assert getattr(parse_options([text]), name) == value


def test_lists_collect_and_a_later_value_overrides():
    options = parse_options(["dm.mountopt=a", "dm.mountopt=b", "dm.fs=xfs", "dm.fs=ext4"])
    assert options.mount_options == ("a", "b")
    assert options.filesystem == "ext4"


@pytest.mark.parametrize(
    "text",
    [
        "dm.basesize",
        "dm.nonsense=1",
        "basesize=10G",
        "dm.basesize=-1",
        "dm.fs=btrfs",
        "dm.min_free_space=10",
        "dm.min_free_space=100%",
        "dm.blocksize=63k",
        "dm.blocksize=100k",
        "dm.blocksize=2g",
        "dm.use_deferred_removal=yes",
        "dm.libdm_log_level=8",
        "dm.datadev=",
        "dm.xfs_nospace_max_retries=-1",
        "dm.xfs_nospace_max_retries=2147483648",
        "dm.min_free_space=\u0663%",
        "dm.basesize=8192P",
        "dm.thinpooldev=/dev/mapper/",
        "dm.thinpooldev=/dev/vg/thin",
        "dm.thinpooldev=/dev/dm-3",
    ],
)
def test_a_wrong_option_is_refused_naming_key_and_value(text):
    with pytest.raises(BadUsageError) as caught:
        parse_options([text])
    assert text.partition("=")[0] in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_the_external_pool_s_name_has_no_path():
    assert parse_options(["dm.thinpooldev=/dev/mapper/thin"]).external_pool_name == "thin"
