"""The status of a graph directory's pool, on both machines."""

import json

import pytest

from dmtui.deviceset import infoformats
from dmtui.deviceset.graph import open_graph
from dmtui.deviceset.options import Options
from dmtui.deviceset.status import NotAThinPoolError, read_status
from dmtui.thinpool.errors import BadUsageError, MissingError
from dmtui.thinpool.table import Target
from tests.deviceset.graphs import make_graph, make_pool, write_record


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


@pytest.fixture
def report(machine, graph):
    write_record(graph, "base", device_id=1, size=10 * 2**30, transaction_id=1, initialized=True)
    write_record(graph, "cafe", device_id=2, size=10 * 2**30, transaction_id=2, initialized=False, deleted=True)
    write_record(graph, "deviceset-metadata", next_device_id=2, BaseDeviceUUID="u", BaseDeviceFilesystem="xfs")
    write_record(graph, "transaction-metadata", open_transaction_id=2, device_hash="cafe", device_id=2)
    return make_pool(machine, graph).report()


def test_records_give_base_size_filesystem_and_deleted_devices(report):
    assert report.base_device_size_bytes == 10 * 2**30
    assert report.backing_filesystem == "xfs"
    assert report.deferred_deleted_device_count == 1


def test_the_text_form_has_the_readme_s_items_in_its_order(report):
    labels = [line.split(":")[0] for line in infoformats.format_text(report).splitlines()]
    readme = [
        "Pool Name",
        "Pool Blocksize",
        "Data file",
        "Metadata file",
        "Data Space Used",
        "Data Space Total",
        "Data Space Available",
        "Metadata Space Used",
        "Metadata Space Total",
        "Metadata Space Available",
        "Udev Sync Supported",
        "Data loop file",
        "Metadata loop file",
    ]
    assert [label for label in labels if label in readme] == readme
    assert "Pool Blocksize: 65.54 kB\n" in infoformats.format_text(report)


def test_the_docker_form_is_two_spaces_and_attached_units(report):
    text = infoformats.format_docker(report)
    assert all(line.startswith("  ") and not line.startswith("   ") for line in text.splitlines())
    assert "  Pool Blocksize: 65.54kB\n  Base Device Size: 10.74GB\n  Backing Filesystem: xfs\n" in text
    assert "  Data Space Total: 67.11MB\n" in text
    assert "  Thin Pool Minimum Free Space: 6.685MB\n" in text


def test_json_holds_exactly_the_keys_of_the_contract(report):
    keys = (
        "pool_name pool_blocksize base_device_size backing_filesystem data_file metadata_file data_loop_file "
        "metadata_loop_file data_space metadata_space thin_pool_minimum_free_space udev_sync_supported "
        "deferred_removal_enabled deferred_deletion_enabled deferred_deleted_device_count library_version "
        "driver_version mode needs_check no_space_policy discard_passdown transaction_id pool_origin"
    ).split()
    fields = json.loads(infoformats.format_json(report))
    assert list(fields) == keys
    assert set(fields["data_space"]) == {"used", "total", "available"}
    assert fields["pool_blocksize"] == 65536
    assert fields["discard_passdown"] in (True, False)


def test_an_absent_pool_has_unknown_figures_not_zeros(machine, graph):
    fields = json.loads(infoformats.format_json(read_status(machine, graph, Options())))
    assert fields["pool_origin"] == "absent"
    assert fields["data_space"] == {"used": None, "total": None, "available": None}
    assert fields["mode"] is None


def test_another_target_under_the_pool_s_name_is_refused(machine, graph):
    machine.device_mapper.create(graph.prefix.pool_name, [Target(0, 8, "error", "")])
    with pytest.raises(NotAThinPoolError, match="not a thin pool but has error"):
        read_status(machine, graph, Options())


def test_a_missing_graph_directory_has_no_pool(machine, home):
    with pytest.raises(MissingError, match="does not exist"):
        open_graph(machine.files, str(home / "nowhere"))


def test_a_file_is_no_graph_directory(machine, home):
    machine.files.make_directory(str(home))
    machine.files.make_sparse_file(str(home / "file"), 4096)
    with pytest.raises(BadUsageError, match="not a directory"):
        open_graph(machine.files, str(home / "file"))


def test_broken_records_are_findings_and_the_rest_is_read(machine, graph, report):
    write_record(graph, "huge", device_id=2**24, size=1, transaction_id=1, initialized=False)
    (__import__("pathlib").Path(graph.records_directory) / "torn").write_text('{"device_id":')
    again = read_status(machine, graph, Options())
    assert [finding.split(":")[0] for finding in again.findings] == ["record huge", "record torn"]
    assert again.base_device_size_bytes == 10 * 2**30


def test_leftover_temporaries_and_migrated_files_are_no_records(machine, graph, report):
    for name in (".tmp123", "json.migrated"):
        (__import__("pathlib").Path(graph.records_directory) / name).write_text("rubbish")
    assert read_status(machine, graph, Options()).findings == ()


def test_minimum_free_space_follows_the_option(machine, graph):
    pool = make_pool(machine, graph)
    assert pool.report(Options(min_free_percent=0)).minimum_free_bytes == 0
    assert pool.report(Options(min_free_percent=50)).minimum_free_bytes == 512 * 65536
