"""The seed's rule, on both machines: an existing pool is recognised by what it is made of."""

import pytest

from dmtui.deviceset.options import Options
from dmtui.deviceset.recognition import Outcome, recognise
from dmtui.thinpool.devno import DeviceNumber
from tests.deviceset.graphs import DATA_BYTES, METADATA_BYTES, MIB, make_graph, make_pool


@pytest.fixture
def graph(machine, home):
    return make_graph(machine, home)


def outcome(machine, graph, dev: DeviceNumber) -> Outcome:
    return recognise(machine.files, machine.loops.list_bound(), dev, graph.data_file, "data").outcome


def test_a_pool_on_our_files_is_recognised(machine, graph):
    pool = make_pool(machine, graph)
    report = pool.report()
    assert report.pool_origin == "existing"
    assert (report.data_file, report.data_loop_file) == (pool.data.path, graph.data_file)
    assert (report.metadata_file, report.metadata_loop_file) == (pool.metadata.path, graph.metadata_file)
    assert report.findings == ()


def test_our_loop_device_is_found_behind_a_gap_in_the_numbering(machine, graph, home):
    fillers = []
    for number in range(3):
        path = str(home / f"filler{number}")
        machine.files.make_sparse_file(path, MIB)
        fillers.append(machine.loops.attach(path, autoclear=False))
    pool = make_pool(machine, graph)
    for filler in fillers:
        machine.loops.detach(filler.path)
    assert all(loop.path not in [filler.path for filler in fillers] for loop in machine.loops.list_bound())
    assert pool.report().data_loop_file == graph.data_file


def test_a_missing_file_is_told_and_never_fatal(machine, graph, home):
    pool = make_pool(machine, graph, data=str(home / "other"))
    report = pool.report()
    assert outcome(machine, graph, pool.data.dev) is Outcome.FILE_MISSING
    assert (report.data_file, report.data_loop_file) == (None, None)
    assert report.metadata_loop_file == graph.metadata_file
    assert any("does not exist" in finding for finding in report.findings)


def test_a_file_without_a_loop_device_is_told(machine, graph, home):
    pool = make_pool(machine, graph, data=str(home / "other"))
    machine.files.make_sparse_file(graph.data_file, MIB)
    assert outcome(machine, graph, pool.data.dev) is Outcome.NO_LOOP_DEVICE
    assert pool.report().data_loop_file is None
    assert any("no loop device" in finding for finding in pool.report().findings)


def test_our_file_on_another_device_than_the_pool_s_is_told(machine, graph, home):
    pool = make_pool(machine, graph, data=str(home / "other"))
    machine.files.make_sparse_file(graph.data_file, MIB)
    mine = machine.loops.attach(graph.data_file, autoclear=False)
    assert outcome(machine, graph, pool.data.dev) is Outcome.OTHER_DEVICE
    assert pool.report().data_file is None
    assert any(mine.path in finding for finding in pool.report().findings)


def test_a_file_attached_twice_is_ours_and_the_other_attachment_is_told(machine, graph):
    pool = make_pool(machine, graph)
    again = machine.loops.attach(graph.data_file, autoclear=False)
    assert outcome(machine, graph, pool.data.dev) is Outcome.ATTACHED_TWICE
    report = pool.report()
    assert report.data_file == pool.data.path
    assert any(again.path in finding for finding in report.findings)


def test_the_first_attachment_does_not_hide_the_second(machine, graph):
    machine.files.make_sparse_file(graph.data_file, DATA_BYTES)
    first = machine.loops.attach(graph.data_file, autoclear=False)
    second = machine.loops.attach(graph.data_file, autoclear=False)
    assert first.dev != second.dev
    assert outcome(machine, graph, second.dev) is Outcome.ATTACHED_TWICE


def test_a_deleted_backing_file_is_told(machine, graph):
    pool = make_pool(machine, graph)
    machine.files.remove_file(graph.data_file)
    assert outcome(machine, graph, pool.data.dev) is Outcome.DELETED_FILE
    report = pool.report()
    assert report.data_loop_file is None
    assert any("deleted" in finding for finding in report.findings)


def test_a_new_file_of_the_same_name_is_not_taken_for_the_deleted_one(machine, graph):
    pool = make_pool(machine, graph)
    machine.files.remove_file(graph.data_file)
    machine.files.make_sparse_file(graph.data_file, DATA_BYTES)
    assert outcome(machine, graph, pool.data.dev) is Outcome.DELETED_FILE
    assert pool.report().data_loop_file is None


def test_data_and_metadata_are_recognised_independently(machine, graph, home):
    report = make_pool(machine, graph, metadata=str(home / "elsewhere")).report()
    assert report.data_loop_file == graph.data_file
    assert report.metadata_loop_file is None


def test_a_device_given_by_option_is_shown_and_its_file_is_not_looked_for(machine, graph, home):
    pool = make_pool(machine, graph, data=str(home / "other"))
    report = pool.report(Options(data_device="/dev/given"))
    assert report.data_file == "/dev/given"
    assert report.findings == ()
    assert report.metadata_loop_file == graph.metadata_file


def test_available_is_limited_by_the_host_file_system(machine, graph, machine_kind):
    pool = make_pool(machine, graph)
    host = machine.files.space(graph.data_file)
    report = pool.report()
    assert report.data.available_bytes == min(DATA_BYTES, host.free_bytes)
    if machine_kind == "emulated":
        machine.set_host_space(MIB)
        assert pool.report().data.available_bytes == MIB
        assert pool.report().metadata.available_bytes == MIB


def test_totals_are_the_sizes_of_the_files(machine, graph):
    report = make_pool(machine, graph).report()
    assert (report.data.total_bytes, report.metadata.total_bytes) == (DATA_BYTES, METADATA_BYTES)
    assert (report.data.used_bytes, report.metadata.used_bytes) == (0, 111 * 4096)


def test_an_external_pool_has_no_files_of_ours(machine, graph, home):
    data, metadata = str(home / "d"), str(home / "m")
    pool = make_pool(machine, graph, data=data, metadata=metadata, name="dmtui-test-external")
    report = pool.report(Options(thin_pool_device="/dev/mapper/dmtui-test-external"))
    assert report.pool_origin == "external"
    assert (report.data_file, report.metadata_loop_file, report.findings) == (None, None, ())
