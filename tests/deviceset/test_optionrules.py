"""Rules between storage options."""

import pytest

from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import parse_options
from dmtui.thinpool.errors import BadUsageError


def ruling(*texts, supported=True):
    return rule(parse_options(texts), deferred_removal_supported=supported)


def test_defaults_follow_the_machine():
    able, unable = ruling(), ruling(supported=False)
    assert (able.deferred_removal, able.deferred_deletion, able.discard_on_delete) == (True, True, True)
    assert (unable.deferred_removal, unable.deferred_deletion) == (False, False)
    assert able.notices == ()


def test_turning_removal_off_turns_deletion_off_with_it():
    settled = ruling("dm.use_deferred_removal=false")
    assert (settled.deferred_removal, settled.deferred_deletion) == (False, False)


@pytest.mark.parametrize(
    "texts",
    [
        ("dm.use_deferred_removal=false", "dm.use_deferred_deletion=true"),
        ("dm.datadev=/dev/sdb", "dm.metadatadev=/dev/sdb"),
        ("dm.directlvm_device=/dev/sdb", "dm.thinpooldev=thin"),
        ("dm.thinp_percent=95", "dm.thinp_metapercent=1"),
        ("dm.directlvm_device=/dev/sdb", "dm.thinp_percent=95"),
        ("dm.directlvm_device=/dev/sdb", "dm.thinp_percent=95", "dm.thinp_metapercent=6"),
    ],
)
def test_contradictions_are_refused(texts):
    with pytest.raises(BadUsageError):
        ruling(*texts)


@pytest.mark.parametrize("text", ["dm.use_deferred_removal=true", "dm.use_deferred_deletion=true"])
def test_what_the_machine_cannot_do_is_refused(text):
    with pytest.raises(BadUsageError, match="cannot be had"):
        ruling(text, supported=False)


@pytest.mark.parametrize("text", ["dm.thinp_percent=100", "dm.thinp_metapercent=x", "dm.directlvm_device="])
def test_wrong_direct_lvm_values_are_refused(text):
    with pytest.raises(BadUsageError):
        parse_options([text])


def test_discard_is_off_by_default_on_real_devices():
    assert not ruling("dm.datadev=/dev/sdb", "dm.metadatadev=/dev/sdc").discard_on_delete
    assert not ruling("dm.thinpooldev=thin").discard_on_delete
    # The original leaves it on here, because it names the pool after the default was decided.
    assert not ruling("dm.directlvm_device=/dev/sdb").discard_on_delete
    assert ruling("dm.thinpooldev=thin", "dm.blkdiscard=true").discard_on_delete


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("dm.thinpooldev=thin", "dm.loopdatasize=1G"), "dm.loopdatasize has no effect"),
        (("dm.datadev=/dev/sdb", "dm.metadatadev=/dev/sdc", "dm.loopmetadatasize=1G"), "dm.loopmetadatasize has no"),
        (("dm.thinpooldev=thin", "dm.datadev=/dev/sdb"), "dm.datadev has no effect"),
        (("dm.thinpooldev=thin", "dm.blocksize=128k"), "dm.blocksize has no effect"),
        (("dm.datadev=/dev/sdb",), "the metadata stays on a loop file"),
        (("dm.blkdiscard=false",), "never shrinks"),
        (("dm.loopmetadatasize=17G",), "dm.loopmetadatasize has no effect above 17045913600 bytes"),
        (("dm.use_deferred_removal=false",), "turns deferred deletion off as well"),
        (("dm.fs=ext4", "dm.xfs_nospace_max_retries=0"), "dm.xfs_nospace_max_retries has no effect"),
    ],
)
def test_what_has_no_effect_is_said(texts, words):
    assert any(words in notice for notice in ruling(*texts).notices)
