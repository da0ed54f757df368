"""What each demonstration claims, asked of its machine instead of its words."""

import re

import pytest

from dmtui.cli.parser import build_parser
from dmtui.lab.reading import size
from dmtui.lab.scenarios import SCENARIOS
from dmtui.machine.errors import DeviceMissingError, MachineError, TimedOutError
from dmtui.thinpool.status import DiscardPolicy, NoSpacePolicy, PoolMode, PoolStatus

MIB = 1024**2


def status(stage) -> PoolStatus:
    return PoolStatus.parse(stage.machine.device_mapper.status_flush(stage.pool_name).targets[0].params)


def used_blocks(line: str) -> int:
    """Data blocks used, from a whole status line as a demonstration prints it."""
    return PoolStatus.parse(" ".join(line.split()[3:])).figures.data.used_blocks


def taken(outcome) -> int:
    return used_blocks(outcome.after) - used_blocks(outcome.before)


def test_every_command_of_ours_that_is_named_for_a_real_machine_exists():
    lines = [
        line
        for scenario in SCENARIOS
        for line in (*scenario.commands, *(look for step in scenario.steps for look in step.looking))
    ]
    commands = [part.partition("    (")[0].split() for line in lines for part in line.split("; ")]
    named = [" ".join(words[1:]) for words in commands if words[0] == "dmtui"]
    assert "pool remove" in named
    for command in named:
        build_parser().parse_args(command.replace("SIZE", "1G").split())


def test_a_fresh_snapshot_takes_no_data_block_and_maps_what_its_parent_maps(played):
    stage, outcome = played("snapshots", "A snapshot of it")
    assert taken(outcome) == 0
    mapped = stage.look().mapped
    assert mapped["web"] == mapped["image"] > 300 * MIB
    assert outcome.told.startswith(f"The container maps {size(mapped['web'])} ")


def test_writing_to_shared_blocks_takes_as_many_new_ones_and_leaves_the_parent_whole(played):
    stage, outcome = played("snapshots", "Writing breaks sharing")
    now = stage.look()
    assert taken(outcome) == 640
    assert "took 640 blocks" in outcome.told
    assert now.mapped["image"] == now.mapped["web"]


def test_writing_there_again_takes_none(played):
    _, outcome = played("snapshots", "Writing again does not")
    assert taken(outcome) == 0
    assert outcome.told.startswith("The pool took 0 blocks")


def test_the_devices_map_more_than_the_pool_uses(played):
    stage, outcome = played("snapshots", "Three more containers")
    now = stage.look()
    assert sum(now.mapped.values()) > 3 * now.used_bytes
    assert f"map {size(sum(now.mapped.values()))} in all, on {size(now.used_bytes)} of data" in outcome.told


def test_a_deleted_snapshot_frees_nothing_while_all_its_blocks_are_shared(played):
    _, outcome = played("frees-nothing", "Space is short")
    assert taken(outcome) == 0
    assert "freed 0 blocks" in outcome.told


def test_a_deleted_snapshot_frees_what_its_origin_has_overwritten(played):
    _, outcome = played("frees-nothing", "Deleted once more")
    assert taken(outcome) == -5600
    assert "freed 5600 blocks" in outcome.told


def test_a_deleted_origin_frees_nothing_that_its_clone_has(played):
    stage, outcome = played("frees-nothing", "Deleting the origin")
    assert taken(outcome) == 0
    assert set(stage.look().mapped) == {"clone"}


def test_a_discard_gives_blocks_to_the_pool_and_space_to_the_host(played):
    stage, outcome = played("discard", "Discarded")
    assert taken(outcome) == -2400
    assert stage.before.file_bytes - stage.look().file_bytes == 2400 * 65536
    assert f"the file takes {size(2400 * 65536)} less" in outcome.told


def test_a_discard_of_shared_blocks_frees_none(played):
    stage, outcome = played("discard", "Shared blocks")
    assert taken(outcome) == 0
    assert stage.look().mapped["web"] == stage.before.mapped["web"] - 2400 * 65536


def test_without_passdown_the_pool_has_its_blocks_back_and_the_host_has_not(played):
    stage, outcome = played("discard", "Without passdown")
    assert status(stage).discard is DiscardPolicy.NO_PASSDOWN
    assert taken(outcome) == -2400
    assert stage.look().file_bytes == stage.before.file_bytes


def test_the_pool_promises_more_than_it_has(played):
    stage, _ = played("overprovision", "More promised than there is")
    now = stage.look()
    assert sum(now.sizes.values()) > 4 * now.total_bytes


def test_the_pool_really_fills_and_the_write_would_wait(played):
    stage, outcome = played("overprovision", "The last block")
    found = status(stage)
    assert found.mode is PoolMode.OUT_OF_DATA_SPACE
    assert found.no_space is NoSpacePolicy.QUEUE
    assert found.figures.data.free_blocks == 0
    assert f"{found.figures.data.used_blocks} of {found.figures.data.total_blocks} blocks" in outcome.told
    assert "would wait" in outcome.errors[0]


def test_after_the_wait_writes_fail_at_once(played):
    stage, outcome = played("overprovision", "The wait ends")
    assert status(stage).no_space is NoSpacePolicy.ERROR
    assert "ENOSPC" in outcome.errors[0]


def test_an_extension_brings_a_full_pool_back(played):
    stage, outcome = played("overprovision", "Writing goes on")
    found = status(stage)
    assert (found.mode, found.no_space) == (PoolMode.READ_WRITE, NoSpacePolicy.QUEUE)
    assert taken(outcome) == 256


def test_metadata_run_out_while_data_are_nearly_empty(played):
    stage, outcome = played("metadata-full", "Used up")
    found = status(stage)
    assert found.mode is PoolMode.READ_ONLY
    assert found.figures.metadata.free_blocks == 0
    assert found.figures.data.used_blocks < found.figures.data.total_blocks / 5
    assert "EIO" in outcome.errors[0]


def test_more_metadata_bring_the_pool_back(played):
    stage, _ = played("metadata-full", "More room")
    assert status(stage).mode is PoolMode.READ_WRITE
    assert stage.now.metadata_total_blocks == 4 * stage.before.metadata_total_blocks


def test_deleting_snapshots_frees_metadata(played):
    stage, outcome = played("metadata-full", "Fewer snapshots")
    freed = stage.before.metadata_used_blocks - stage.now.metadata_used_blocks
    assert freed > 300
    assert outcome.told.startswith(f"{freed} metadata blocks")


def test_a_failed_metadata_write_makes_the_pool_read_only(played):
    stage, outcome = played("needs-check", "One bad write")
    found = status(stage)
    assert (found.mode, found.needs_check) == (PoolMode.READ_ONLY, True)
    assert "EIO" in outcome.errors[0]


def test_a_restart_does_not_take_the_mark_away_but_a_check_does(played):
    stage, _ = played("needs-check", "Does a restart help?")
    assert status(stage).needs_check is True
    stage, _ = played("needs-check", "It serves again")
    assert (status(stage).mode, status(stage).needs_check) == (PoolMode.READ_WRITE, False)


def test_the_pool_believes_in_space_that_the_host_does_not_have(played):
    stage, outcome = played("host-full", "Others live there, too")
    now = stage.look()
    assert now.host_free_bytes == stage.machine.host_space.free_bytes == 200 * MIB
    assert now.total_bytes - now.used_bytes > 50 * now.host_free_bytes
    assert outcome.told.startswith(size(now.host_free_bytes))


def test_a_write_fails_on_a_full_host_with_space_in_the_pool(played):
    stage, outcome = played("host-full", "Full")
    assert "EIO" in outcome.errors[0]
    assert stage.look().used_blocks < stage.look().total_blocks / 10


def test_a_discard_makes_holes_in_the_file_again(played):
    stage, outcome = played("host-full", "Holes again")
    assert stage.before.file_bytes - stage.look().file_bytes == 400 * MIB
    assert f"{size(400 * MIB)} more" in outcome.told


def test_the_leak_keeps_device_and_pool_alive_when_the_daemon_stops(played):
    stage, outcome = played("leaked-mount", "The daemon stops")
    assert re.search(rf"{stage.device('web')} \(\d+:\d+\) is open once by others", outcome.errors[0])
    assert stage.machine.device_mapper.info(stage.device("web")).open_count == 1
    assert stage.machine.filesystems.mounts() == ()


def test_the_next_start_recognises_the_pool_by_its_loop_files(played):
    stage, outcome = played("leaked-mount", "The daemon starts again")
    assert "its origin is existing" in outcome.told
    for loop in stage.machine.loops.list_bound():
        assert f"{loop.path} (on devicemapper/{loop.backing_path.rpartition('/')[2]})" in outcome.told
    assert "pool" in outcome.before


def test_the_holder_is_really_named(played):
    stage, outcome = played("leaked-mount", "Who holds it?")
    (leak,) = stage.machine.leaks.list_held()
    dev = stage.machine.device_mapper.info(leak.device_name).dev
    assert f"mountinfo: {leak.pid}." in outcome.told
    assert f"holds {leak.device_name}" in outcome.told
    assert outcome.commands == (f"grep -l ' {dev} ' /proc/[0-9]*/mountinfo",)


def test_with_the_holder_the_pool_goes_and_its_files_stay(played):
    stage, _ = played("leaked-mount", "Let go")
    assert stage.machine.device_mapper.list_devices() == ()
    assert stage.machine.loops.list_bound() == ()
    assert stage.machine.files.identify(stage.graph.data_file).size_bytes > 0


def test_a_busy_device_is_marked_and_goes_on_working(played):
    stage, _ = played("deferred", "As soon as nobody has it open")
    assert stage.machine.device_mapper.info(stage.device("web")).deferred_remove
    stage.machine.write(stage.device("web"), offset_bytes=0, length_bytes=65536)


def test_activating_it_again_takes_the_mark_away(played):
    stage, _ = played("deferred", "Changed our mind")
    assert not stage.machine.device_mapper.info(stage.device("web")).deferred_remove


def test_the_last_user_takes_the_device_along_but_not_its_data(played):
    stage, outcome = played("deferred", "The last user goes")
    with pytest.raises(DeviceMissingError):
        stage.machine.device_mapper.info(stage.device("web"))
    assert taken(outcome) == 0


def test_reaping_deletes_the_data(played):
    stage, outcome = played("deferred", "Reaped")
    assert taken(outcome) == -4000
    assert stage.open_engine(recovering=False).devices.state.records.keys() == {""}


def test_the_kill_leaves_an_id_that_the_next_command_takes_back(played):
    _, outcome = played("crash", "Killed before the end")
    assert "The pool has 3 ids, the new one is 3" in outcome.told
    _, outcome = played("crash", "The next command")
    assert outcome.notes == ("transaction 3 on web (id 3) was rolled back",)
    assert "2 devices on file, 2 ids in the pool, the same" in outcome.told


def test_the_second_kill_leaves_the_parent_suspended_and_the_next_command_resumes_it(played):
    stage, _ = played("crash", "Killed at the worst moment")
    image = stage.device("image")
    with pytest.raises(TimedOutError):
        stage.machine.write(image, offset_bytes=0, length_bytes=65536)
    stage, outcome = played("crash", "Mended, and made")
    stage.machine.write(image, offset_bytes=0, length_bytes=65536)
    assert f"{image} was left suspended and is resumed" in outcome.notes


def test_growing_keeps_the_device_mounted_and_what_it_has(played):
    stage, _ = played("grow", "More data space")
    (mount,) = stage.machine.filesystems.mounts()
    assert mount.directory.endswith("/mnt/db")
    assert stage.now.total_bytes == 3 * stage.before.total_bytes
    assert stage.now.mapped == stage.before.mapped


def test_metadata_grow_too_and_nothing_shrinks(played):
    stage, outcome = played("grow", "And back?")
    assert stage.look().metadata_total_blocks == 4096
    assert "never shrinks" in outcome.errors[0]


def test_a_stage_whose_refusal_does_not_come_says_so(player):
    stage = player("snapshots").stage
    with pytest.raises(Exception, match="what should be refused was done"):
        stage.refused(lambda: None)


def test_a_refusal_is_kept_in_the_words_of_whoever_refused(player):
    stage = player("snapshots").stage
    stage.begin()
    stage.refused(lambda: stage.machine.write("nobody", offset_bytes=0, length_bytes=1))
    with pytest.raises(MachineError) as raised:
        stage.machine.write("nobody", offset_bytes=0, length_bytes=1)
    assert stage.errors == [str(raised.value)]


BLOCK = 65536


def grown(stage) -> int:
    return stage.look().mapped["log"] - stage.before.mapped["log"]


def test_a_power_cut_takes_what_the_pool_has_not_committed(played):
    stage, outcome = played("power-cut", "The power fails")
    assert grown(stage) == BLOCK
    assert taken(outcome) == 1
    assert f"the other {size(32 * MIB)} were not yet" in outcome.told


def test_it_takes_nothing_that_was_flushed(played):
    stage, outcome = played("power-cut", "The same with fsync")
    assert grown(stage) == 24 * MIB
    assert outcome.told.startswith(f"All {size(24 * MIB)} are there")
    assert any(command.endswith("conv=fsync") for command in outcome.commands)


def test_a_message_commits_what_is_open(played):
    stage, _ = played("power-cut", "A snapshot commits, too")
    assert grown(stage) == 24 * MIB


def test_a_discard_may_be_lost_as_a_write(played):
    stage, outcome = played("power-cut", "Discards are no better")
    assert grown(stage) == 0
    assert f"{size(0)} of them stayed so" in outcome.told
