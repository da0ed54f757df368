"""Loop devices on any machine: bound, found by what file they present, let go."""

import time

import pytest

from dmtui.machine.errors import DeviceMissingError, FileMissingError

MIB = 1 << 20


def on(rig, path):
    """The bound loop devices that present all of that file."""
    identity = rig.machine.files.identify(path)
    return [loop for loop in rig.machine.loops.list_bound() if loop.is_whole(identity)]


def bound_paths(rig):
    return [loop.path for loop in rig.machine.loops.list_bound()]


def goes(rig, path) -> bool:
    """Whether a loop device unbinds within 5 s: udev may look at it for a moment longer than its users."""
    give_up_at = time.monotonic() + 5
    while path in bound_paths(rig) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return path not in bound_paths(rig)


def test_an_attached_file_is_presented_whole(rig):
    path = rig.file("f", 2 * MIB)
    loop = rig.machine.loops.attach(path, autoclear=False)
    assert loop.is_whole(rig.machine.files.identify(path))
    assert loop.backing_path == path
    assert loop.size_bytes == 2 * MIB


def test_an_attached_file_is_found_among_the_bound_ones(rig):
    loop = rig.loop("f", autoclear=False)
    assert on(rig, loop.backing_path) == [loop]


def test_the_bound_ones_come_by_number(rig):
    for name in ("a", "b", "c"):
        rig.loop(name, autoclear=False)
    numbers = [loop.dev.minor for loop in rig.machine.loops.list_bound()]
    assert numbers == sorted(numbers)


def test_a_gap_in_the_numbers_hides_nothing(rig):
    first, second, third = (rig.loop(name, autoclear=False) for name in "abc")
    rig.machine.loops.detach(second.path)
    assert goes(rig, second.path)
    assert {first.path, third.path} <= set(bound_paths(rig))


def test_a_missing_file_cannot_be_attached(rig):
    with pytest.raises(FileMissingError):
        rig.machine.loops.attach(str(rig.home / "none"))


def test_a_detached_loop_device_is_bound_no_more(rig):
    loop = rig.loop("f", autoclear=False)
    rig.machine.loops.detach(loop.path)
    assert goes(rig, loop.path)


def test_what_is_not_bound_cannot_be_detached(rig):
    loop = rig.loop("f", autoclear=False)
    rig.machine.loops.detach(loop.path)
    assert goes(rig, loop.path)
    with pytest.raises(DeviceMissingError):
        rig.machine.loops.detach(loop.path)


def test_a_file_may_be_attached_twice(rig):
    path = rig.file("f")
    loops = [rig.machine.loops.attach(path, autoclear=False) for _ in range(2)]
    assert on(rig, path) == sorted(loops, key=lambda loop: loop.dev.minor)
    assert loops[0].path != loops[1].path


def test_a_deleted_file_is_told_as_deleted(rig):
    loop = rig.loop("f", autoclear=False)
    rig.machine.files.remove_file(loop.backing_path)
    (found,) = [bound for bound in rig.machine.loops.list_bound() if bound.path == loop.path]
    assert found.deleted
    assert found.backing_path == loop.backing_path


def test_a_new_file_of_the_old_name_is_another_file(rig):
    loop = rig.loop("f", autoclear=False)
    rig.machine.files.remove_file(loop.backing_path)
    # The first name stays taken on disk by the loop device: the new file cannot get its inode.
    rig.file("f")
    assert on(rig, loop.backing_path) == []


def test_a_loop_device_keeps_its_size_until_it_is_refreshed(rig):
    loop = rig.loop("f", MIB, autoclear=False)
    rig.machine.files.resize_file(loop.backing_path, 3 * MIB)
    assert on(rig, loop.backing_path)[0].size_bytes == MIB
    rig.machine.loops.refresh_capacity(loop.path)
    assert on(rig, loop.backing_path)[0].size_bytes == 3 * MIB


def test_what_is_not_bound_cannot_be_refreshed(rig):
    loop = rig.loop("f", autoclear=False)
    rig.machine.loops.detach(loop.path)
    assert goes(rig, loop.path)
    with pytest.raises(DeviceMissingError):
        rig.machine.loops.refresh_capacity(loop.path)


def test_an_autoclear_loop_device_goes_when_it_is_released_unused(rig):
    loop = rig.loop("f", autoclear=True)
    assert on(rig, loop.backing_path) == [loop]
    assert loop.autoclear
    rig.machine.loops.release(loop)
    assert goes(rig, loop.path)


def test_an_autoclear_loop_device_stays_while_a_pool_uses_it_and_goes_with_the_pool(rig):
    pool = rig.pool()
    paths = {rig.data.path, rig.metadata.path}
    assert paths <= set(bound_paths(rig))
    rig.mapper.remove(pool)
    assert all(goes(rig, path) for path in paths)


def test_a_loop_device_without_autoclear_stays_after_its_release(rig):
    loop = rig.loop("f", autoclear=False)
    assert not loop.autoclear
    rig.machine.loops.release(loop)
    assert on(rig, loop.backing_path) == [loop]


def test_detaching_what_a_pool_uses_takes_effect_when_the_pool_goes(rig):
    pool = rig.pool()
    rig.machine.loops.detach(rig.data.path)
    assert rig.data.path in bound_paths(rig)
    rig.mapper.remove(pool)
    assert goes(rig, rig.data.path)


def test_a_file_can_be_attached_for_reading_only(rig):
    assert rig.loop("f", autoclear=False, read_only=True).read_only


def test_half_a_sector_at_the_end_is_not_presented(rig):
    assert rig.loop("f", MIB + 700, autoclear=False).size_bytes == MIB + 512
