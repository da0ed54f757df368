"""Promises: virtual sizes against the pool, sparse files against their host."""

import pytest

from dmtui.monitor.commitment import commitment
from tests.monitor import made
from tests.monitor.made import GIB


def test_over_provisioning_is_what_the_active_devices_promise_of_the_pool():
    promised = commitment(made.pool(devices=(made.thin(1), made.thin(2, size_bytes=190 * GIB))))
    assert (promised.virtual_bytes, promised.pool_bytes, promised.ratio) == (200 * GIB, 100 * GIB, 2.0)


def test_of_a_failed_pool_there_is_no_ratio():
    assert commitment(made.failed()).ratio is None


def test_files_on_one_host_share_what_it_has():
    data = made.backing(loop_file_allocated_bytes=40 * GIB, host_free_bytes=30 * GIB)
    metadata = made.backing(size_bytes=2 * GIB, loop_file_allocated_bytes=GIB, host_free_bytes=29 * GIB)
    (debt,) = commitment(made.pool(data_backing=data, metadata_backing=metadata)).debts
    assert (debt.files, debt.owed_bytes, debt.free_bytes) == (("data", "metadata"), 61 * GIB, 29 * GIB)
    assert debt.ratio == pytest.approx(61 / 29)
    assert debt.missing_fraction == pytest.approx(32 / 61)


def test_files_on_two_hosts_are_two_debts():
    other = made.backing(host_total_bytes=7 * GIB, host_free_bytes=0, loop_file_allocated_bytes=0)
    first, second = commitment(made.pool(metadata_backing=other)).debts
    assert (first.files, first.missing_fraction) == (("data",), -1.0)
    assert (second.files, second.ratio, second.missing_fraction) == (("metadata",), None, 1.0)


def test_a_file_that_takes_more_than_its_size_owes_nothing():
    (debt,) = commitment(made.pool(data_backing=made.backing(loop_file_allocated_bytes=101 * GIB))).debts
    assert debt.owed_bytes == 0


def test_a_deleted_file_s_debt_is_unknown():
    gone = made.backing(loop_file_deleted=True, loop_file_size_bytes=None, loop_file_allocated_bytes=None)
    assert commitment(made.pool(data_backing=gone, metadata_backing=gone)).debts == ()
