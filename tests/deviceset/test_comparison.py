"""What records, pool and active devices of one instant come to, without a machine."""

from __future__ import annotations

import json

import pytest

from dmtui.deviceset.comparison import Bucket, Node, Seen, compare
from dmtui.deviceset.comparisonformats import reconciliation_fields, reconciliation_lines
from dmtui.deviceset.records import DeviceRecord
from dmtui.machine.tools import ThinEntry

SIZE = 10 * 2**30
BLOCK = 65536


def record(name, thin_id, transaction=None, **fields):
    fields = {"size_bytes": SIZE, "initialized": False, "deleted": False} | fields
    return DeviceRecord(name, thin_id, transaction_id=thin_id if transaction is None else transaction, **fields)


def node(name, thin_id, size=SIZE, opened=0, otherwise=""):
    return Node(f"P-{name or 'base'}", name, thin_id, size, opened, otherwise)


def foreign(device, thin_id):
    return Node(device, None, thin_id, SIZE, 0)


def thin(thin_id, transaction=None, mapped=3):
    """A thin id as the pool has it, by default made in the transaction that `record` names."""
    return ThinEntry(thin_id, mapped, (thin_id if transaction is None else transaction) - 1, 0, 0)


def reconciled(records=(), thins=(), nodes=(), **seen):
    given = {"external": False, "pool_active": True, "transaction_id": 100, "block_bytes": BLOCK} | seen
    there = {each.hash_name: each for each in records}
    return compare(Seen(pool="P-pool", records=there, nodes=tuple(nodes), **given), tuple(thins))


def only(found):
    (device,) = found.devices
    return device


def test_a_record_with_its_thin_id_is_whole():
    device = only(reconciled([record("one", 2)], [thin(2)], [node("one", 2, opened=1)]))
    assert (device.bucket, device.name, device.thin_id) == (Bucket.WHOLE, "one", 2)
    assert (device.size_bytes, device.mapped_bytes) == (SIZE, 3 * BLOCK)
    assert device.node is not None
    assert device.findings == ()


def test_a_record_whose_thin_id_is_gone_is_a_record_only():
    device = only(reconciled([record("one", 2)]))
    assert (device.bucket, device.mapped_bytes) == (Bucket.RECORD_ONLY, None)
    assert "data are gone" in device.findings[0]


def test_a_thin_id_that_no_record_claims_is_in_the_pool_only():
    device = only(reconciled(thins=[thin(9)]))
    assert (device.bucket, device.name, device.thin_id, device.size_bytes) == (Bucket.POOL_ONLY, None, 9, None)
    assert device.findings == ("no record claims it",)


def test_an_orphan_that_is_active_under_a_foreign_name_says_so():
    device = only(reconciled(thins=[thin(9)], nodes=[foreign("vm-disk", 9)]))
    assert device.findings == ("no record claims it", "is active as vm-disk")
    assert device.size_bytes == SIZE


def test_an_orphan_in_an_external_pool_may_be_somebody_else_s():
    assert "may be somebody else's" in only(reconciled(thins=[thin(9)], external=True)).findings[1]


def test_an_orphan_that_a_record_in_quarantine_claims_says_so():
    assert "the record torn in quarantine does" in only(reconciled(thins=[thin(9)], quarantined={9: "torn"})).findings


@pytest.mark.parametrize(
    ("records", "thins", "told"),
    [
        ([], [], "has no record, and the pool does not have its thin id"),
        ([], [thin(9)], "has no record: its thin id is an orphan once it is deactivated"),
    ],
)
def test_a_node_without_a_record_is_a_node_only_with_its_thin_id(records, thins, told):
    device = only(reconciled(records, thins, [node("ghost", 9)]))
    assert (device.bucket, device.name, device.thin_id) == (Bucket.NODE_ONLY, "ghost", 9)
    assert device.findings == (told,)


def test_a_node_without_a_record_on_a_recorded_thin_id_is_told_on_both():
    found = reconciled([record("one", 2)], [thin(2)], [node("ghost", 2)])
    assert [device.bucket for device in found.devices] == [Bucket.WHOLE, Bucket.NODE_ONLY]
    assert found.devices[0].findings == ("is active as P-ghost, too",)
    assert found.devices[1].findings == ("has no record; its thin id is that of one",)


def test_a_recorded_node_whose_thin_id_the_pool_does_not_have_is_a_node_only():
    device = only(reconciled([record("one", 2)], [], [node("one", 2)]))
    assert device.bucket is Bucket.NODE_ONLY
    assert device.findings == ("the pool does not have its thin id",)


def test_a_node_of_our_prefix_that_is_something_else_is_a_node_only():
    device = only(reconciled(nodes=[node("x", None, otherwise="no thin device (linear)")]))
    assert device.findings == ("has no record and is no thin device (linear)",)


def test_two_records_of_one_thin_id_clash():
    found = reconciled([record("one", 2), record("two", 2)], [thin(2)])
    assert [device.bucket for device in found.devices] == [Bucket.ID_CLASH] * 2
    assert [device.findings[0] for device in found.devices] == [
        "its thin id is also that of two",
        "its thin id is also that of one",
    ]


def test_a_node_with_another_thin_id_than_its_record_clashes():
    found = reconciled([record("one", 2)], [thin(2), thin(9)], [node("one", 9)])
    assert [(device.bucket, device.thin_id) for device in found.devices] == [
        (Bucket.ID_CLASH, 2),
        (Bucket.POOL_ONLY, 9),
    ]
    assert found.devices[0].findings == ("is active as thin id 9",)
    assert "is active as P-one" in found.devices[1].findings


def test_a_recorded_node_on_another_pool_clashes():
    other = node("one", None, otherwise="a thin device of another pool (253:9)")
    device = only(reconciled([record("one", 2)], [thin(2)], [other]))
    assert device.findings == ("its node P-one is a thin device of another pool (253:9)",)
    assert device.bucket is Bucket.ID_CLASH


@pytest.mark.parametrize(
    ("transaction", "made_in", "told"),
    [
        (101, 101, "was recorded in transaction 101, the pool is at 100"),
        (50, 60, "was recorded in transaction 50, its thin id was made in 60"),
    ],
)
def test_a_record_of_an_impossible_transaction_clashes(transaction, made_in, told):
    device = only(reconciled([record("one", 2, transaction)], [thin(2, made_in)]))
    assert (device.bucket, device.findings) == (Bucket.ID_CLASH, (told,))


def test_offline_no_transaction_is_too_late_and_mapped_bytes_are_unknown():
    device = only(
        reconciled([record("one", 101)], [thin(101)], pool_active=False, transaction_id=None, block_bytes=None)
    )
    assert (device.bucket, device.mapped_bytes) == (Bucket.WHOLE, None)


def test_a_device_of_another_size_than_recorded_is_whole_with_a_finding():
    device = only(reconciled([record("one", 2)], [thin(2)], [node("one", 2, size=2 * SIZE)]))
    assert (device.bucket, device.findings) == (
        Bucket.WHOLE,
        ("is active with 21.47 GB, its record says 10.74 GB",),
    )


def test_a_device_that_waits_for_its_deletion_is_whole_with_a_finding():
    device = only(reconciled([record("one", 2, deleted=True)], [thin(2)], [node("one", 2, opened=2)]))
    assert (device.bucket, device.findings) == (Bucket.WHOLE, ("waits for its deletion, open 2 times",))


def everything():
    return reconciled(
        [record("", 1, initialized=True), record("dead", 3), record("odd", 4, deleted=True)],
        [thin(1), thin(4), thin(9)],
        [node("ghost", 8, opened=1)],
    )


def test_the_text_form_counts_all_and_names_what_is_odd():
    assert reconciliation_lines(everything()) == [
        "pool P-pool: 2 whole, 1 record only, 1 pool only, 1 node only, 0 id clash",
        "whole:",
        "  odd: thin id 4; 10.74 GB; 196.6 kB mapped; waits for its deletion",
        "record only:",
        "  dead: thin id 3; 10.74 GB; the pool does not have its thin id: its data are gone",
        "pool only:",
        "  thin id 9: 196.6 kB mapped; no record claims it",
        "node only:",
        "  ghost: thin id 8; 10.74 GB; has no record, and the pool does not have its thin id",
    ]


def test_the_json_form_has_every_device_in_its_bucket():
    fields = json.loads(json.dumps(reconciliation_fields(everything())))
    assert list(fields) == ["pool", "pool_active", "whole", "record_only", "pool_only", "node_only", "id_clash"]
    assert fields["whole"][0] == {
        "name": "base",
        "thin_id": 1,
        "size": SIZE,
        "mapped": 3 * BLOCK,
        "active": False,
        "device": None,
        "open_count": None,
        "finding": None,
    }
    assert (fields["pool_only"][0]["name"], fields["pool_only"][0]["size"]) == (None, None)
    assert (fields["node_only"][0]["device"], fields["node_only"][0]["open_count"]) == ("P-ghost", 1)
