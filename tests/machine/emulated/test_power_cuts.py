"""What a pool has not committed is lost at a power cut, and when a commit fails; everything else is not."""

from __future__ import annotations

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import InvalidError, MachineError, NoSpaceError
from tests.machine.emulated.bench import BLOCK, Bench

NOTHING = "0 128000 thin 0 -"


@pytest.fixture
def still(bench):
    """A pool with a thin, committed, on a machine whose clock stands still."""
    bench.machine.clock.freeze()
    bench.thin(1)
    return bench


def cut(bench: Bench, *names: str) -> list[str]:
    """Cut the power, activate the pool and thins (``t1`` without a name) anew; returns the status of the thins."""
    bench.machine.power_cut()
    bench.data = bench.machine.loops.attach("/b/data", autoclear=False).path
    bench.meta = bench.machine.loops.attach("/b/meta", autoclear=False).path
    bench.mapper.create("p", [bench.table()])
    return [bench.line(bench.activate(int(name[1:]))) for name in names or ("t1",)]


def picture(bench: Bench) -> list[str]:
    """All that the store holds of the pool's metadata."""
    with bench.machine._store.read() as connection:
        told = [
            str(row)
            for table in (
                "nodes",
                "thins",
                "bitmaps",
                "before_nodes",
                "before_thins",
                "before_bitmaps",
                "before_metadata",
            )
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        ]
        columns = "used_metadata, total_metadata, used_data, total_data, transaction_id, held_block, needs_check"
        return [*told, str(connection.execute(f"SELECT {columns} FROM metadata").fetchall())]


def test_a_write_that_nobody_flushed_is_gone_with_its_blocks(still):
    before = picture(still)
    still.write("t1", 0, 1, 2)
    assert still.line("t1") == "0 128000 thin 384 383"
    assert cut(still) == [NOTHING]
    assert picture(still) == before
    assert still.figures == "0/1024 rw queue_if_no_space"


def test_what_was_flushed_stays_and_what_came_after_does_not(still):
    still.write("t1", 0)
    still.machine.flush("t1")
    still.write("t1", 1, 2)
    assert cut(still) == ["0 128000 thin 128 127"]


def test_a_flush_of_a_thin_that_has_changed_commits_the_writes_of_all(still):
    still.thin(2)
    still.write("t1", 0)
    still.write("t2", 0)
    still.machine.flush("t2")
    assert cut(still) == ["0 128000 thin 128 127"]


def test_a_flush_of_a_thin_that_has_not_changed_commits_nothing(still):
    still.thin(2)
    still.write("t1", 0)
    still.machine.flush("t2")
    assert cut(still) == [NOTHING]


@pytest.mark.parametrize(
    "commit",
    [
        lambda bench: bench.msg("set_transaction_id 0 1"),
        lambda bench: bench.line(),
        lambda bench: bench.mapper.suspend("p"),
        lambda bench: [bench.mapper.remove(name) for name in ("t1", "p")],
        lambda bench: bench.machine.clock.step(1),
        lambda bench: bench.machine.reboot(),
    ],
    ids=["message", "status with a flush", "suspend of the pool", "end of the pool", "a second", "shutdown"],
)
def test_whatever_commits_saves_it(still, commit):
    still.write("t1", 0)
    commit(still)
    assert cut(still) == ["0 128000 thin 128 127"]


def test_a_status_without_a_flush_saves_nothing(still):
    still.write("t1", 0)
    assert still.line(flush=False).split()[5] == "1/1024"
    assert cut(still) == [NOTHING]


def test_the_pool_commits_a_second_after_it_last_did_so_by_its_clock(still):
    still.write("t1", 0)
    still.machine.clock.step(0.9)
    still.write("t1", 1)
    assert cut(still) == [NOTHING]
    still.write("t1", 0)
    still.machine.clock.step(1.5)
    still.write("t1", 1)
    assert cut(still) == ["0 128000 thin 128 127"]


def test_the_first_write_after_a_quiet_second_is_committed_at_once(still):
    still.machine.clock.step(1)
    still.write("t1", 0)
    still.write("t1", 1)
    assert cut(still) == ["0 128000 thin 128 127"]


def test_blocks_whose_discard_went_down_after_the_last_commit_are_lost_at_a_power_cut(still):
    still.write("t1", 0, 1)
    still.machine.clock.step(1)
    still.line(flush=False)
    still.machine.clock.step(1)
    # After a quiet second the unmapping is committed at once, the release of the blocks behind it is not.
    still.discard("t1", 0, 2)
    assert still.line(flush=False).split()[5] == "0/1024"
    assert cut(still) == [NOTHING]
    assert still.figures == "2/1024 rw queue_if_no_space"


def test_the_open_transaction_takes_metadata_that_its_commit_gives_back(still):
    still.line()
    committed = still.line(flush=False).split()[4]
    still.write("t1", 0)
    opened = still.line(flush=False).split()[4]
    assert int(opened.split("/")[0]) > int(committed.split("/")[0])
    assert still.line().split()[4] == committed


def test_another_process_goes_on_with_the_open_transaction(still):
    still.write("t1", 0)
    opened = still.line(flush=False)
    other = EmulatedMachine.open(still.machine._directory)
    other.write("t1", offset_bytes=BLOCK, length_bytes=BLOCK)
    assert [str(target) for target in other.device_mapper.status("p").targets] == [opened.replace(" 1/1024", " 2/1024")]
    other.close()
    assert still.line(flush=False) == opened.replace(" 1/1024", " 2/1024")
    assert cut(still) == [NOTHING]


def test_a_look_after_a_second_finds_it_committed(still):
    before = still.line(flush=False).split()[4]
    still.write("t1", 0)
    still.machine.clock.step(1)
    assert still.line(flush=False).split()[4:6] == [before, "1/1024"]


def test_a_discard_that_nobody_flushed_has_not_happened(still):
    still.write("t1", 0, 1, 2)
    still.line()
    before = picture(still)
    still.discard("t1", 1, 2)
    assert still.line("t1") == "0 128000 thin 128 127"
    assert cut(still) == ["0 128000 thin 384 383"]
    assert picture(still) == before


def test_sharing_that_was_broken_is_whole_again(still):
    still.write("t1", 0, 1, 2)
    still.msg("create_snap 2 1")
    before = picture(still)
    still.write("t1", 0, 1)
    assert still.figures.startswith("5/1024")
    assert cut(still, "t1", "t2") == ["0 128000 thin 384 383"] * 2
    assert picture(still) != before  # figures above committed them
    still.discard("t2", 0, 3)
    still.write("t1", 2, 3)
    assert cut(still, "t1", "t2") == ["0 128000 thin 384 383"] * 2


def test_messages_lose_nothing(still):
    still.msg("create_thin 2")
    still.msg("create_snap 3 1")
    still.msg("delete 3")
    still.msg("reserve_metadata_snap")
    before = picture(still)
    assert cut(still, "t1", "t2") == [NOTHING] * 2
    assert picture(still) == before


def test_what_another_process_wrote_is_lost_too(still, tmp_path):
    other = Bench.__new__(Bench)
    other.machine = EmulatedMachine.open(still.machine._directory)
    other.machine.write("t1", offset_bytes=0, length_bytes=3 * BLOCK)
    assert still.line("t1", flush=False) == "0 128000 thin 384 383"
    other.machine.write("t1", offset_bytes=5 * BLOCK, length_bytes=BLOCK)
    other.machine.close()
    assert cut(still) == [NOTHING]


def test_a_commit_in_the_middle_of_a_write_saves_what_came_before(still):
    # The pool has 1,024 blocks: the kernel commits when the last one is gone, and only then knows that it is full.
    still.reload("0 1 error_if_no_space")
    still.thin(2)
    still.machine.write("t1", offset_bytes=0, length_bytes=1000 * BLOCK)
    with pytest.raises(NoSpaceError):
        still.machine.write("t2", offset_bytes=0, length_bytes=100 * BLOCK)
    assert cut(still, "t1", "t2") == ["0 128000 thin 128000 127999", "0 128000 thin 3072 3071"]


@pytest.mark.parametrize("commit", [True, False])
def test_a_commit_that_fails_takes_the_writes_before_it_along(still, commit):
    still.write("t1", 0)
    still.line()
    still.write("t1", 1)
    if commit:
        still.machine.flush("t1")
    still.machine.outages.break_disk("metadata-write-error", "p")
    still.write("t1", 2)
    assert still.figures == f"{1 + commit}/1024 ro queue_if_no_space"
    assert still.line("t1").startswith("0 128000 thin 384 ")  # the kernel goes on showing what it counted
    still.machine.outages.end("metadata-write-error")
    still.mapper.remove("t1")
    still.mapper.remove("p")
    still.machine.faults.clear_needs_check("/b/meta")
    still.mapper.create("p", [still.table()])
    assert still.line(still.activate(1)) == f"0 128000 thin {128 * (1 + commit)} {128 * (1 + commit) - 1}"


def test_the_space_of_a_loop_file_is_not_given_back(still):
    before = still.machine.host_space.free_bytes
    still.write("t1", 0)
    cut(still)
    assert before - still.machine.host_space.free_bytes >= BLOCK


def test_a_file_system_that_was_made_is_there_after_it(still):
    still.machine.filesystems.make("/dev/mapper/t1", "ext4", ())
    made = still.line("t1", flush=False)
    assert made != NOTHING
    assert cut(still) == [made]
    assert still.machine.filesystems.probe("/dev/mapper/t1") is not None


@pytest.mark.parametrize("kind", ["metadata-error", "metadata-write-error"])
@pytest.mark.parametrize(
    "end",
    [lambda bench: [bench.mapper.remove(name) for name in ("t1", "p")], lambda bench: bench.machine.reboot()],
    ids=["removal", "shutdown"],
)
def test_a_last_commit_that_the_disk_refuses_is_none(still, end, kind):
    still.write("t1", 0)
    still.line()
    still.write("t1", 1)
    still.machine.outages.break_disk(kind, "p")
    end(still)
    still.machine.outages.end(kind)
    assert cut(still) == ["0 128000 thin 128 127"]
    assert still.line(flush=False).split()[5] == "1/1024"


def test_growth_that_a_resume_which_failed_left_uncommitted_is_lost(still):
    before = still.line()
    still.grow_file("/b/data", still.data, 2048 * BLOCK)
    still.grow_file("/b/meta", still.meta, 2 << 20)
    with pytest.raises(InvalidError):
        still.reload(blocks=2048)  # grows the data, then finds the metadata's device too small
    still.machine.power_cut()
    with still.machine._store.read() as connection:
        assert connection.execute("SELECT total_data FROM metadata").fetchone() == (1024,)
    still.machine.files.resize_file("/b/meta", 4 << 20)
    cut(still)
    assert still.line() == before


def test_what_was_committed_in_the_middle_of_a_write_stays_when_it_breaks_the_pool(make_bench):
    bench = make_bench(blocks=100_000, metadata=8 << 20)
    bench.machine.clock.freeze()
    bench.thin(1, blocks=100_000)
    bench.machine.set_host_space(80_000 * BLOCK)
    # The kernel's tick commits the first 65,536 blocks; of the rest not even the metadata find space on the host.
    with pytest.raises(MachineError):
        bench.machine.write("t1", offset_bytes=0, length_bytes=100_000 * BLOCK)
    assert "needs_check" in bench.line(flush=False)
    bench.machine.set_host_space(1 << 30)
    bench.machine.power_cut()
    with bench.machine._store.read() as connection:
        assert connection.execute("SELECT mapped FROM thins").fetchone()[0] >= 65_536


def test_a_clock_that_is_set_back_puts_no_commit_off(still):
    still.machine.clock.step(3600)
    still.line()
    still.write("t1", 0)
    still.write("t1", 1)
    still.machine.clock.freeze(still.machine.clock.now() - 3000)
    assert cut(still) == ["0 128000 thin 256 255"]


@pytest.mark.parametrize("others", [0, 20])
def test_whoever_looks_first_finds_what_the_clock_has_brought(still, others):
    for thin_id in range(2, 2 + others):
        still.thin(thin_id)
    still.write("t1", 0)
    still.machine.outages.break_disk("metadata-error", "p")
    still.machine.clock.step(1)
    names = [f"t{thin_id}" for thin_id in range(1, 2 + others)]
    assert {str(reading.targets[0]) for reading in still.mapper.statuses(names)} == {"0 128000 thin Fail"}
