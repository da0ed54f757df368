"""What the emulated machine once told otherwise than the kernel: each difference that random courses found."""

import errno

import pytest

from dmtui.machine.emulated.mapping import unmap
from dmtui.machine.emulated.metadata import in_memory
from dmtui.machine.errors import InvalidError, MachineError, NoSpaceError, NoSuchThinIdError, TimedOutError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK, put


def errno_of(act) -> int:
    with pytest.raises(MachineError) as caught:
        act()
    return caught.value.errno


def test_resuming_what_runs_already_does_nothing(bench):
    bench.grow_file("/b/meta", bench.meta, 8 << 20)
    bench.mapper.resume("p")
    assert "/1024 " in bench.line()
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert "/2048 " in bench.line()


def test_the_metadata_mark_follows_the_size_of_the_device_not_of_the_metadata(bench):
    bench.grow_file("/b/meta", bench.meta, 6 << 20)
    assert bench.line().endswith(" - 384 ")


def test_a_device_with_a_thin_in_waiting_is_suspended_with_the_pool(bench):
    bench.thin(1)
    table = bench.mapper.table("t1").targets[0]
    bench.mapper.create("other", [Target(0, 128, "zero", "")])
    bench.mapper.load("other", [table])
    bench.mapper.suspend("p")
    assert bench.mapper.info("other").internal_suspend
    for act in (bench.mapper.suspend, bench.mapper.resume):
        with pytest.raises(TimedOutError):
            act("other")
    bench.mapper.remove("other")


def test_a_write_over_the_end_goes_as_far_as_the_device(bench):
    bench.thin(1, blocks=3)
    with pytest.raises(NoSpaceError):
        bench.machine.write("t1", offset_bytes=BLOCK, length_bytes=5 * BLOCK)
    assert bench.line("t1") == "0 384 thin 256 383"


def test_a_read_only_device_refuses_before_it_looks_where(bench):
    bench.msg("create_thin 1")
    table = [Target(0, 384, "thin", "/dev/mapper/p 1")]
    bench.mapper.create("t1", table, read_only=True)
    assert errno_of(lambda: bench.write("t1", 99)) == errno.EPERM
    assert errno_of(lambda: bench.discard("t1", 0, 1)) == errno.EPERM


def test_what_cannot_discard_says_so_before_anything_else(make_bench):
    bench = make_bench(words="0 1 ignore_discard")
    bench.thin(1, blocks=3)
    bench.mapper.create("zero", [Target(0, 128, "zero", "")])
    assert errno_of(lambda: bench.discard("t1", 0, 99)) == errno.EOPNOTSUPP
    assert errno_of(lambda: bench.discard("zero", 0, 1)) == errno.EOPNOTSUPP


def test_a_discard_is_cut_at_the_edges_that_its_block_size_has_in_bits(emulated):
    emulated.files.make_directory("/b")
    for name, size in (("data", 64 * 384 * 512), ("meta", 4 << 20)):
        emulated.files.make_sparse_file(f"/b/{name}", size)
    data, meta = (emulated.loops.attach(f"/b/{name}", autoclear=False).path for name in ("data", "meta"))
    mapper = emulated.device_mapper
    mapper.create("p", [Target(0, 64 * 384, "thin-pool", f"{meta} {data} 384 0")])
    mapper.message("p", "create_thin 1")
    mapper.create("t1", [Target(0, 64 * 384, "thin", "/dev/mapper/p 1")])
    emulated.write("t1", offset_bytes=0, length_bytes=8 * 384 * 512)
    # From sector 768 on the first piece ends at 1024, inside block 2: of blocks 2 and 3 only the second goes.
    emulated.discard("t1", offset_bytes=768 * 512, length_bytes=2 * 384 * 512)
    assert str(mapper.status("t1").targets[0]) == f"0 {64 * 384} thin {7 * 384} {8 * 384 - 1}"


def test_a_backslash_at_the_end_of_a_message_is_a_character(bench):
    bench.msg("create_thin 1")
    with pytest.raises(InvalidError):
        bench.msg("delete \\1\\")
    bench.msg("delete \\1")


def test_a_live_pool_takes_a_table_that_is_too_long_and_loses_it_as_it_resumes(bench):
    before = bench.mapper.table("p").targets
    bench.mapper.load("p", [bench.table(blocks=2048)])
    assert bench.mapper.info("p").inactive_table
    with pytest.raises(InvalidError):
        bench.mapper.resume("p")
    info = bench.mapper.info("p")
    assert (info.suspended, info.inactive_table) == (True, False)
    assert bench.mapper.table("p").targets == before
    bench.mapper.resume("p")
    assert not bench.mapper.info("p").suspended


def test_a_new_device_is_refused_a_table_that_is_too_long(bench):
    with pytest.raises(InvalidError):
        bench.mapper.create("new", [Target(0, 1 << 30, "linear", f"{bench.data} 0")])
    assert "new" not in {entry.name for entry in bench.mapper.list_devices()}


def test_a_device_that_is_too_large_is_refused_before_its_id_is_looked_up(bench):
    with pytest.raises(InvalidError):
        bench.mapper.create("t9", [Target(0, 1 << 54, "thin", "/dev/mapper/p 9")])


def test_a_pool_given_a_thin_table_on_itself_looks_for_the_id_first(bench):
    table = [Target(0, 128, "thin", "/dev/mapper/p 1")]
    with pytest.raises(NoSuchThinIdError):
        bench.mapper.load("p", table)
    bench.msg("create_thin 1")
    with pytest.raises(InvalidError):
        bench.mapper.load("p", table)


def test_a_status_with_a_commit_tells_the_event_number_before_the_commit(make_bench):
    bench = make_bench(blocks=8, words="0 1 error_if_no_space")
    bench.thin(1)
    bench.write("t1", *range(8))
    with pytest.raises(NoSpaceError):
        bench.write("t1", 8)
    before = bench.events
    bench.discard("t1", 7, 1)
    assert bench.mapper.status_flush("p").info.event_nr == before
    assert bench.events == before + 1


def test_the_copy_of_a_data_bitmap_counts_toward_the_metadata_mark(make_bench):
    bench = make_bench(blocks=40, metadata=32 * 4096, words="0 2 skip_block_zeroing error_if_no_space")
    for thin_id in range(8):
        bench.msg(f"create_thin {thin_id}")
    bench.activate(0)
    # 17 blocks are in use, 15 free, and the mark is 8.
    assert (bench.line().split()[4], bench.events) == ("20/32", 0)
    # Copied: the leaf, its two ways there (top level, details), bitmap and index of the data and of the metadata.
    bench.write("t0", 0)
    bench.line()
    assert bench.events == 1


def test_a_data_bitmap_is_copied_also_where_its_counters_stay_as_they_are():
    pool = in_memory(1024, 40)
    pool.create_thin(0)
    put(pool, 0, 0)
    for thin_id in (1, 2, 3, 4):
        pool.create_snapshot(thin_id, 0)
        put(pool, thin_id, 1)
    pool.commit()
    # Block 0 has five references: one less is a change of the overflow tree alone.
    assert (pool.data.count(0), pool.data.touched_bitmaps) == (5, set())
    unmap(pool, 4, 0, 1)
    assert (pool.data.count(0), pool.data.touched_bitmaps) == (4, {0})


def test_a_commit_that_fails_takes_the_mapping_but_not_the_figure_of_it(make_bench):
    bench = make_bench(blocks=8, metadata=16 * 4096, words="4 2 skip_block_zeroing error_if_no_space")
    for thin_id in (11, 7, 3):
        bench.msg(f"create_thin {thin_id}")
    bench.activate(11, blocks=30)
    assert bench.line().split()[4:8] == ["13/16", "0/8", "-", "rw"]
    bench.write("t11", 5)  # acknowledged: the commit comes later
    words = bench.line().split()
    assert (words[4], words[7], words[10]) == ("13/16", "ro", "needs_check")
    assert bench.line("t11") == "0 3840 thin 128 -"
    assert errno_of(lambda: bench.write("t11", 6)) == errno.EIO


def test_a_thin_whose_creation_was_thrown_away_can_still_be_activated(make_bench):
    bench = make_bench(blocks=8, metadata=12 * 4096, words="0 1 error_if_no_space")
    bench.msg("create_thin 4")
    assert "needs_check" in bench.line()
    with pytest.raises(NoSuchThinIdError):
        bench.activate(5)
    bench.activate(4)
    assert bench.line("t4") == "0 128000 thin Error"
    assert errno_of(lambda: bench.write("t4", 0)) == errno.EIO
    assert errno_of(lambda: bench.machine.flush("t4")) == errno.EIO
    bench.discard("t4", 0, 1)


def test_a_pool_is_opened_once_for_reading_and_once_for_writing(bench):
    bench.msg("create_thin 1")
    table = [Target(0, 128, "thin", "/dev/mapper/p 1")]
    bench.mapper.create("t1", table, read_only=True)
    bench.mapper.load("t1", table, read_only=True)
    assert bench.mapper.info("p").open_count == 1
    bench.mapper.load("t1", table)
    assert bench.mapper.info("p").open_count == 2
    bench.mapper.resume("t1")
    assert bench.mapper.info("p").open_count == 1


def test_metadata_that_grow_under_a_read_only_pool_count_as_used_until_a_commit(bench):
    bench.reload("0 1 read_only")
    used = int(bench.line().split()[4].split("/")[0])
    bench.grow_file("/b/meta", bench.meta, 1044 * 4096)
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    more_reserve = 1044 // 10 - 1024 // 10
    assert bench.line().split()[4] == f"{used + 20 + more_reserve}/1044"
    bench.reload()
    assert bench.line().split()[4] == f"{used + more_reserve}/1044"


def test_what_waits_for_space_is_tried_by_the_order_of_the_tables_then_by_place(make_bench):
    bench = make_bench(blocks=1, words="0 0")
    for thin_id in (7, 3):
        bench.thin(thin_id)
    bench.write("t7", 0)
    for name, block in (("t3", 5), ("t7", 9), ("t3", 2), ("t7", 4)):
        with pytest.raises(NoSpaceError):
            bench.write(name, block)
    bench.grow_file("/b/data", bench.data, 4 * BLOCK)
    bench.reload(blocks=4)
    # Three blocks for four: the thin that was activated first has them, then the lower place.
    assert [bench.line(name).split()[3] for name in ("t7", "t3")] == ["384", "128"]
    assert bench.line("t3").split()[4] == str(2 * 128 + 127)


def test_a_thin_whose_creation_was_thrown_away_reads_as_zeros(make_bench):
    bench = make_bench(blocks=8, metadata=12 * 4096, words="0 1 error_if_no_space")
    bench.msg("create_thin 4")
    bench.activate(4)
    assert bench.machine.read("t4", offset_bytes=0, length_bytes=BLOCK) == BLOCK


def test_a_new_thin_is_forgotten_where_its_details_were_written_before_the_commit_failed(make_bench):
    bench = make_bench(blocks=8, metadata=16 * 4096, words="0 1 error_if_no_space")
    for thin_id in (7, 3, 6, 4):
        bench.msg(f"create_thin {thin_id}")
    assert "needs_check" in bench.line()
    with pytest.raises(NoSuchThinIdError):
        bench.activate(4)


def activated_anew(bench) -> None:
    """The pool of a thin 1 with three blocks, in use by nobody since its activation."""
    bench.thin(1)
    bench.write("t1", 0, 1, 2)
    bench.mapper.remove("t1")
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])


def test_a_pool_that_nobody_has_used_commits_nothing_and_notices_no_broken_disk(bench):
    activated_anew(bench)
    bench.machine.outages.break_disk("metadata-error", "p")
    assert bench.line().split()[7] == "rw"
    bench.mapper.suspend("p")
    bench.mapper.resume("p")
    assert bench.line().split()[7] == "rw"
    bench.machine.outages.end("metadata-error", "p")
    bench.activate(1)
    bench.write("t1", 0)  # mapped already
    bench.machine.outages.break_disk("metadata-error", "p")
    assert bench.line().split()[7] == "rw"
    assert bench.machine.read("t1", offset_bytes=0, length_bytes=BLOCK) == BLOCK
    assert errno_of(lambda: bench.write("t1", 9)) == errno.EIO
    assert bench.line() == "0 131072 thin-pool Fail"


def test_blocks_that_a_pool_counts_twice_cannot_be_written(make_bench):
    bench = make_bench(blocks=8)
    bench.thin(1)
    bench.grow_file("/b/data", bench.data, 10 * BLOCK)
    bench.reload("0 1 read_only", blocks=10)
    bench.reload("0 1 skip_block_zeroing", blocks=10)
    assert bench.figures == "0/12 rw queue_if_no_space"
    bench.write("t1", *range(10))
    assert errno_of(lambda: bench.write("t1", 10)) == errno.EIO
    assert bench.figures == "11/12 rw queue_if_no_space"
    assert errno_of(lambda: bench.machine.read("t1", offset_bytes=10 * BLOCK, length_bytes=BLOCK)) == errno.EIO
    assert bench.machine.read("t1", offset_bytes=9 * BLOCK, length_bytes=BLOCK) == BLOCK


def test_a_copy_that_failed_is_told_by_the_mode_which_the_pool_comes_to(bench):
    mapper = bench.mapper
    bench.machine.files.make_sparse_file("/b/more", 4 << 20)
    meta = bench.machine.loops.attach("/b/more", autoclear=False)
    mapper.remove("p")
    mapper.create("below", [Target(0, 16 * 128, "linear", f"{bench.data} 0")])
    table = f"{meta.dev} {mapper.info('below').dev} 128 0"
    mapper.create("p", [Target(0, 8 * 128, "thin-pool", table)])
    bench.thin(1)
    bench.write("t1", *range(7))
    bench.thin(2)
    bench.write("t2", 0)
    first, second = (bench.machine.queue.submit("t1", "write", (block * BLOCK, 512))[0] for block in (20, 30))
    mapper.load("below", [Target(0, 16 * 128, "error", "")])
    mapper.resume("below")
    bench.discard("t2", 0, 1)
    bench.line()  # whose commit frees the block
    assert bench.figures == "8/8 out_of_data_space queue_if_no_space"  # the block that was freed is taken, and lost
    assert (bench.line("t1"), bench.line("t2")) == ("0 128000 thin 896 895", "0 128000 thin 0 -")
    assert bench.machine.queue.ended(first) == errno.ENOSPC
    assert bench.machine.queue.ended(second) is None


def test_what_a_pool_is_asked_for_in_vain_puts_it_in_service(bench):
    activated_anew(bench)
    assert errno_of(lambda: bench.msg("create_thin 1")) == errno.EEXIST
    bench.machine.outages.break_disk("metadata-error", "p")
    assert bench.line() == "0 131072 thin-pool Error"


def test_what_was_not_read_before_the_disk_broke_cannot_be_looked_for(bench):
    bench.msg("create_thin 2")
    activated_anew(bench)
    bench.machine.outages.break_disk("metadata-error", "p")
    assert errno_of(lambda: bench.activate(1)) == errno.EIO
    bench.machine.outages.end("metadata-error", "p")
    bench.activate(1)
    bench.machine.outages.break_disk("metadata-error", "p")
    bench.activate(2)
    assert [bench.line(name).split(" ", 3)[3] for name in ("t1", "t2")] == ["384 383", "Error"]
    assert errno_of(lambda: bench.machine.read("t2", offset_bytes=0, length_bytes=BLOCK)) == errno.EIO
    assert errno_of(lambda: bench.machine.flush("t2")) == errno.EIO
    bench.discard("t2", 0, 1)
    assert errno_of(lambda: bench.msg("create_thin 1")) == errno.EEXIST
    assert bench.line() == "0 131072 thin-pool Error"


def test_many_thins_of_an_idle_pool_tell_what_each_of_them_tells(bench):
    for thin_id in range(20):
        bench.msg(f"create_thin {thin_id}")
    activated_anew_ids = [20, *range(19)]
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])
    bench.activate(0)
    bench.machine.outages.break_disk("metadata-error", "p")
    names = ["t0", *(bench.activate(thin_id) for thin_id in activated_anew_ids if 0 < thin_id < 19)]
    told = [reading.targets[0].params for reading in bench.mapper.statuses(names)]
    assert told == ["0 -", *["Error"] * 18]


def test_data_that_grow_under_a_read_only_pool_show_only_after_a_commit_and_grow_again_until_then(bench):
    bench.reload("0 1 read_only")
    for blocks in (1034, 1044):
        bench.grow_file("/b/data", bench.data, blocks * BLOCK)
        bench.reload("0 1 read_only", blocks=blocks)
        assert bench.line().split()[5] == "0/1024"
    bench.reload(blocks=1044)
    # The kernel adds what is missing to what is shown, each time: 10, 20 and 20.
    assert bench.line().split()[5] == "0/1074"


def test_growth_that_was_never_committed_goes_with_the_pool(bench):
    bench.reload("0 1 read_only")
    bench.grow_file("/b/data", bench.data, 1034 * BLOCK)
    bench.reload("0 1 read_only", blocks=1034)
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table(blocks=1034)])
    assert bench.line().split()[5] == "0/1034"


@pytest.mark.parametrize(
    ("features", "error", "mapped"),
    [("0", errno.ENOSPC, 8), ("1 skip_block_zeroing", errno.EIO, 10)],
    ids=["zeroed", "written"],
)
def test_a_write_of_which_a_part_failed_waits_for_space_with_the_rest(bench, features, error, mapped):
    mapper = bench.mapper
    bench.machine.files.make_sparse_file("/b/more", 4 << 20)
    meta = bench.machine.loops.attach("/b/more", autoclear=False)

    def put_below(kind: str) -> None:
        mapper.load("below", [Target(0, 16 * 128, kind, f"{bench.data} 0" if kind == "linear" else "")])
        mapper.resume("below")

    mapper.remove("p")
    mapper.create("below", [Target(0, 16 * 128, "linear", f"{bench.data} 0")])

    def pool(blocks: int) -> list[Target]:
        return [Target(0, blocks * 128, "thin-pool", f"{meta.dev} {mapper.info('below').dev} 128 0 {features}")]

    mapper.create("p", pool(8))
    bench.thin(1)
    bench.write("t1", *range(6))
    put_below("error")
    number, why = bench.machine.queue.submit("t1", "write", (50 * BLOCK, 4 * BLOCK))
    assert isinstance(why, NoSpaceError)
    put_below("linear")
    mapper.load("p", pool(16))
    mapper.resume("p")
    # Blocks that cannot be zeroed are lost, and the pool was full when that was told.
    assert bench.machine.queue.ended(number) == error
    assert bench.line("t1") == f"0 128000 thin {mapped * 128} {54 * 128 - 1}"


def test_a_write_over_the_end_that_waits_for_space_still_comes_to_the_end(make_bench):
    bench = make_bench(blocks=1, words="0 0")
    bench.thin(1)
    bench.write("t1", 0)
    bench.msg("create_thin 2")
    bench.activate(2, blocks=1)
    number, _ = bench.machine.queue.submit("t2", "write", (0, 2 * BLOCK))
    bench.grow_file("/b/data", bench.data, 4 * BLOCK)
    bench.reload(blocks=4)
    assert bench.machine.queue.ended(number) == errno.ENOSPC
    assert bench.line("t2") == "0 128 thin 128 127"


def test_behind_the_end_of_its_origin_a_thin_cannot_be_read_while_its_pool_is_full(make_bench):
    bench = make_bench(blocks=1, words="0 1 error_if_no_space")
    bench.thin(1)
    bench.mapper.create("origin", [Target(0, 128, "zero", "")])
    bench.msg("create_thin 2")
    bench.mapper.create("t2", [Target(0, 1024, "thin", "/dev/mapper/p 2 /dev/mapper/origin")])

    def read(block: int) -> int:
        return bench.machine.read("t2", offset_bytes=block * BLOCK, length_bytes=BLOCK)

    bench.write("t1", 0)
    assert (read(0), read(1)) == (BLOCK, BLOCK)
    with pytest.raises(NoSpaceError):
        bench.write("t1", 1)
    assert read(0) == BLOCK
    assert errno_of(lambda: read(1)) == errno.EIO


def test_an_origin_that_became_shorter_ends_for_a_thin_where_it_did_at_its_resume(bench):
    bench.thin(1)
    bench.msg("create_thin 2")
    bench.mapper.create("t2", [Target(0, 1024, "thin", "/dev/mapper/p 2 /dev/mapper/t1")])
    bench.mapper.load("t1", [Target(0, 128, "thin", "/dev/mapper/p 1")])
    bench.mapper.resume("t1")

    def read(block: int) -> int:
        return bench.machine.read("t2", offset_bytes=block * BLOCK, length_bytes=BLOCK)

    assert read(0) == BLOCK
    assert errno_of(lambda: read(1)) == errno.EIO
    bench.mapper.suspend("t2")
    bench.mapper.resume("t2")
    assert read(1) == BLOCK


def test_what_waits_while_its_pool_is_suspended_is_tried_in_reverse(make_bench):
    bench = make_bench(blocks=1, words="0 0")
    bench.thin(1)
    bench.write("t1", 0)
    for block in (5, 9, 2):
        with pytest.raises(NoSpaceError):
            bench.write("t1", block)
    bench.grow_file("/b/data", bench.data, 3 * BLOCK)
    bench.reload(blocks=3)
    # The last one that came is the first, and two have a block.
    assert bench.line("t1") == f"0 128000 thin {3 * 128} {10 * 128 - 1}"
    bench.grow_file("/b/data", bench.data, 4 * BLOCK)
    bench.reload(blocks=4)
    assert bench.machine.queue.list_waiting() == ()


def test_the_thin_of_a_failed_pool_can_be_removed_also_where_the_pool_is_suspended(bench):
    bench.thin(1)
    bench.machine.faults.fail_pool("p")
    bench.mapper.suspend("p")
    bench.mapper.remove("t1")
    bench.mapper.remove("p")
    assert bench.mapper.list_devices() == ()


def test_whether_a_discard_is_passed_down_is_looked_at_with_a_new_table_only(bench):
    mapper = bench.mapper
    mapper.remove("p")
    mapper.create("below", [Target(0, bench.blocks * 128, "linear", f"{bench.data} 0")])
    pool = [Target(0, bench.blocks * 128, "thin-pool", f"{bench.meta} {mapper.info('below').dev} 128 0")]
    mapper.create("p", pool)
    mapper.load("below", [Target(0, bench.blocks * 128, "zero", "")])
    mapper.resume("below")
    mapper.suspend("p")
    mapper.resume("p")
    assert "no_discard_passdown" not in bench.line()
    mapper.load("p", pool)
    mapper.resume("p")
    assert "no_discard_passdown" in bench.line()
