"""Tables of pools and thins: what the kernel accepts, what it refuses, and with which errno (captured runs)."""

import errno

import pytest

from dmtui.machine.errors import MachineError
from dmtui.thinpool.table import Target

D, M = "7:0", "7:1"
POOL_REFUSED = {
    "three words": (f"{M} {D} 128", errno.EINVAL),
    "no words": ("", errno.EINVAL),
    "the same device twice": (f"{D} {D} 128 0", errno.EINVAL),
    "metadata path missing": (f"/dev/nope {D} 128 0", errno.ENODEV),
    "data path missing": (f"{M} /dev/nope 128 0", errno.ENODEV),
    "unbound metadata loop": (f"7:200 {D} 128 0", errno.EIO),
    "block size 0": (f"{M} {D} 0 0", errno.EINVAL),
    "block size 64": (f"{M} {D} 64 0", errno.EINVAL),
    "block size 129": (f"{M} {D} 129 0", errno.EINVAL),
    "block size 192": (f"{M} {D} 192 0", errno.EINVAL),
    "block size in letters": (f"{M} {D} abc 0", errno.EINVAL),
    "negative block size": (f"{M} {D} -128 0", errno.EINVAL),
    "hexadecimal block size": (f"{M} {D} 0x80 0", errno.EINVAL),
    "block size above 1 GiB": (f"{M} {D} 2097280 0", errno.EINVAL),
    "low water in letters": (f"{M} {D} 128 abc", errno.EINVAL),
    "negative low water": (f"{M} {D} 128 -1", errno.EINVAL),
    "low water 2^64": (f"{M} {D} 128 18446744073709551616", errno.EINVAL),
    "feature count in letters": (f"{M} {D} 128 0 x", errno.EINVAL),
    "all five features": (
        f"{M} {D} 128 0 5 skip_block_zeroing ignore_discard no_discard_passdown read_only error_if_no_space",
        errno.EINVAL,
    ),
    "fewer features than counted": (f"{M} {D} 128 0 2 skip_block_zeroing", errno.EINVAL),
    "an unknown feature": (f"{M} {D} 128 0 1 bogus", errno.EINVAL),
    "read-only on fresh metadata": (f"{M} {D} 128 0 1 read_only", errno.EPERM),
}
POOL_ACCEPTED = {
    f"{M} {D} +128 0": f"{M} {D} 128 0 0 ",
    f"{M} {D} 0128 0": f"{M} {D} 128 0 0 ",
    f"{M} {D} 128 18446744073709551615": f"{M} {D} 128 18446744073709551615 0 ",
    f"{M} {D} 128 0 0 skip_block_zeroing junk": f"{M} {D} 128 0 0 ",
    f"{M} {D} 128 0 1 SKIP_BLOCK_ZEROING": f"{M} {D} 128 0 1 skip_block_zeroing ",
    f"{M} {D} 128 0 2 skip_block_zeroing skip_block_zeroing": f"{M} {D} 128 0 1 skip_block_zeroing ",
    f"{M} {D} 128 0 4 error_if_no_space ignore_discard no_discard_passdown skip_block_zeroing": (
        f"{M} {D} 128 0 4 skip_block_zeroing ignore_discard no_discard_passdown error_if_no_space "
    ),
    "/dev/loop1 /dev/loop0 384 0": f"{M} {D} 384 0 0 ",
}
THIN_REFUSED = {
    "one word": ("254:0", errno.EINVAL),
    "four words": ("254:0 1 7:0 x", errno.EINVAL),
    "pool path missing": ("/dev/mapper/nope 1", errno.ENODEV),
    "pool number without a device": ("254:77 1", errno.ENXIO),
    "a loop device for a pool": ("7:0 1", errno.EINVAL),
    "a linear device for a pool": ("/dev/mapper/lin 1", errno.EINVAL),
    "id in letters": ("254:0 x", errno.EINVAL),
    "negative id": ("254:0 -1", errno.EINVAL),
    "id above 24 bits": ("254:0 16777216", errno.EINVAL),
    "id never created": ("254:0 7", errno.ENODATA),
    "the pool for an origin": ("254:0 1 254:0", errno.EINVAL),
    "origin missing": ("254:0 1 /dev/nope", errno.ENODEV),
}


@pytest.fixture
def mapper(emulated):
    emulated.files.make_directory("/b")
    for path, size in (("/b/data", 64 << 20), ("/b/meta", 4 << 20)):
        emulated.files.make_sparse_file(path, size)
        emulated.loops.attach(path, autoclear=False)
    return emulated.device_mapper


def refusal(act, *words, **settings) -> int:
    with pytest.raises(MachineError) as caught:
        act(*words, **settings)
    return caught.value.errno


@pytest.mark.parametrize("name", POOL_REFUSED)
def test_a_pool_is_refused_for(mapper, name):
    params, number = POOL_REFUSED[name]
    assert refusal(mapper.create, "p", [Target(0, 131072, "thin-pool", params)]) == number
    assert mapper.list_devices() == ()


@pytest.mark.parametrize("params", POOL_ACCEPTED)
def test_a_pools_table_is_printed_back_in_the_kernels_form(mapper, params):
    mapper.create("p", [Target(0, 131072, "thin-pool", params)])
    assert mapper.table("p").targets[0].params == POOL_ACCEPTED[params]


@pytest.mark.parametrize(
    ("targets", "number"),
    [
        ([Target(0, 0, "thin-pool", f"{M} {D} 128 0")], errno.EINVAL),
        ([Target(0, 131073, "thin-pool", f"{M} {D} 128 0")], errno.EINVAL),
        ([Target(8, 131064, "thin-pool", f"{M} {D} 128 0")], errno.EINVAL),
        ([Target(0, 1280, "thin-pool", f"{M} {D} 128 0"), Target(1280, 1280, "linear", f"{D} 0")], errno.EINVAL),
        ([Target(0, 131072, "thin-pool2", f"{M} {D} 128 0")], errno.EINVAL),
        ([], errno.EINVAL),
    ],
)
def test_a_table_is_refused_as_a_whole(mapper, targets, number):
    assert refusal(mapper.create, "p", targets) == number


@pytest.mark.parametrize(("length", "blocks"), [(12864, 100), (64, 0), (1, 0), (131072, 1024)])
def test_a_pools_tail_below_a_block_is_unused(mapper, length, blocks):
    mapper.create("p", [Target(0, length, "thin-pool", f"{M} {D} 128 0")])
    assert mapper.status("p").targets[0].params.split()[2] == f"0/{blocks}"


def test_a_pool_cannot_be_loaded_read_only(mapper):
    assert refusal(mapper.create, "p", [Target(0, 1280, "thin-pool", f"{M} {D} 128 0")], read_only=True) == errno.EINVAL


@pytest.mark.parametrize(
    ("kib", "expected"),
    [(4, errno.EINVAL), (8, errno.EINVAL), (12, errno.ENOSPC), (36, errno.ENOSPC), (48, "10/12"), (1024, "34/256")],
)
def test_metadata_has_a_smallest_size(emulated, mapper, kib, expected):
    emulated.files.make_sparse_file("/b/small", kib << 10)
    loop = emulated.loops.attach("/b/small", autoclear=False).path
    table = [Target(0, 131072, "thin-pool", f"{loop} {D} 128 0")]
    if isinstance(expected, int):
        assert refusal(mapper.create, "p", table) == expected
    else:
        mapper.create("p", table)
        assert mapper.status("p").targets[0].params.split()[1] == expected


def test_forty_kilobytes_of_metadata_come_up_broken(emulated, mapper):
    emulated.files.make_sparse_file("/b/small", 40 << 10)
    loop = emulated.loops.attach("/b/small", autoclear=False).path
    mapper.create("p", [Target(0, 131072, "thin-pool", f"{loop} {D} 128 0")])
    line = "0 131072 thin-pool 0 9/10 0/0 - ro discard_passdown queue_if_no_space needs_check 2 "
    assert str(mapper.status("p").targets[0]) == line


def test_the_block_size_is_fixed_for_the_life_of_the_metadata(bench):
    bench.mapper.remove("p")
    table = [Target(0, 131072, "thin-pool", f"{bench.meta} {bench.data} 256 0")]
    assert refusal(bench.mapper.create, "p", table) == errno.EINVAL


def test_a_live_pool_takes_another_block_size_and_keeps_its_own(bench):
    bench.mapper.load("p", [Target(0, 131072, "thin-pool", f"{bench.meta} {bench.data} 256 0")])
    bench.mapper.resume("p")
    assert bench.mapper.table("p").targets[0].params == "7:1 7:0 128 0 0 "


def test_a_shorter_pool_loads_but_does_not_resume(bench):
    bench.mapper.load("p", [bench.table(blocks=512)])
    assert refusal(bench.mapper.resume, "p") == errno.EINVAL
    info = bench.mapper.info("p")
    assert (info.suspended, info.live_table) == (True, True)
    assert bench.line() == "0 65536 thin-pool 0 111/1024 0/1024 - rw discard_passdown queue_if_no_space - 256 "
    bench.reload()
    assert not bench.mapper.info("p").suspended


def test_a_live_pool_keeps_its_devices_and_its_discard_support(emulated, bench):
    for name, size in (("data2", 64 << 20), ("meta2", 4 << 20)):
        emulated.files.make_sparse_file(f"/b/{name}", size)
        emulated.loops.attach(f"/b/{name}", autoclear=False)
    load = bench.mapper.load
    assert refusal(load, "p", [Target(0, 131072, "thin-pool", f"{bench.meta} 7:2 128 0")]) == errno.EBUSY
    assert refusal(load, "p", [Target(0, 131072, "thin-pool", f"7:3 {bench.data} 128 0")]) == errno.EINVAL
    assert refusal(load, "p", [bench.table("0 1 ignore_discard")]) == errno.EINVAL
    create = bench.mapper.create
    assert refusal(create, "q", [Target(0, 131072, "thin-pool", f"{bench.meta} 7:2 128 0")]) == errno.EBUSY
    # The kernel does not mind two pools on one data device.
    create("q", [Target(0, 131072, "thin-pool", f"7:3 {bench.data} 128 0")])


def test_only_an_error_target_may_take_a_live_pools_place(bench):
    assert refusal(bench.mapper.load, "p", [Target(0, 131072, "linear", f"{bench.data} 0")]) == errno.EINVAL
    bench.mapper.load("p", [Target(0, 131072, "error", "")])
    bench.mapper.resume("p")
    assert bench.line() == "0 131072 error "
    bench.reload()
    assert bench.figures == "0/1024 rw queue_if_no_space"


@pytest.mark.parametrize("name", THIN_REFUSED)
def test_a_thin_is_refused_for(bench, name):
    bench.msg("create_thin 1")
    bench.mapper.create("lin", [Target(0, 2048, "linear", f"{bench.data} 0")])
    params, number = THIN_REFUSED[name]
    assert refusal(bench.mapper.create, "t", [Target(0, 20480, "thin", params)]) == number


def test_a_thin_may_be_longer_than_its_pool_but_not_8_eib(bench):
    bench.msg("create_thin 1")
    bench.mapper.create("t", [Target(0, 1 << 31, "thin", "/dev/mapper/p 1")])
    assert str(bench.mapper.table("t").targets[0]) == "0 2147483648 thin 254:0 1"
    assert refusal(bench.mapper.create, "u", [Target(0, 1 << 54, "thin", "254:0 1")]) == errno.EINVAL


def test_one_id_may_be_active_twice_and_have_an_origin(bench):
    bench.thin(1)
    bench.mapper.create("again", [Target(0, 1280, "thin", "254:0 1 7:0")])
    assert str(bench.mapper.table("again").targets[0]) == "0 1280 thin 254:0 1 7:0"
    assert set(map(str, bench.mapper.dependencies("again"))) == {"254:0", "7:0"}
    assert bench.mapper.info("p").open_count == 2


def test_no_thin_comes_up_on_a_suspended_pool(bench):
    bench.msg("create_thin 1")
    bench.mapper.suspend("p")
    assert refusal(bench.activate, 1) == errno.EINVAL


@pytest.mark.parametrize(
    ("name", "uuid", "number"), [("t", "", errno.EBUSY), ("x", "U", errno.EBUSY), ("a/b", "", errno.EINVAL)]
)
def test_names_and_uuids_are_unique_and_without_slashes(mapper, name, uuid, number):
    mapper.create("t", [Target(0, 8, "error", "")], uuid="U")
    assert refusal(mapper.create, name, [Target(0, 8, "error", "")], uuid=uuid) == number
    assert refusal(mapper.create, "n" * 128, [Target(0, 8, "error", "")]) == errno.EINVAL


def test_devices_stack(bench):
    bench.mapper.create("lin", [Target(0, 4096, "linear", f"{bench.data} 8"), Target(4096, 8, "error", "")])
    bench.mapper.create("top", [Target(0, 4096, "linear", "/dev/mapper/lin 0")])
    assert list(map(str, bench.mapper.dependencies("top"))) == ["254:1"]
    assert refusal(bench.mapper.remove, "lin") == errno.EBUSY
    assert refusal(bench.mapper.create, "far", [Target(0, 4096, "linear", "254:1 4096")]) == errno.EINVAL


def test_a_pool_may_stand_on_parts_of_one_device_as_lvms_do(emulated):
    emulated.files.make_directory("/b")
    emulated.files.make_sparse_file("/b/disk", 80 << 20)
    disk = emulated.loops.attach("/b/disk", autoclear=False).path
    mapper = emulated.device_mapper
    mapper.create("vg-pool_tmeta", [Target(0, 8192, "linear", f"{disk} 0")])
    mapper.create("vg-pool_tdata", [Target(0, 131072, "linear", f"{disk} 8192")])
    mapper.create(
        "vg-pool-tpool",
        [Target(0, 131072, "thin-pool", "/dev/mapper/vg-pool_tmeta /dev/mapper/vg-pool_tdata 128 0")],
    )
    mapper.message("vg-pool-tpool", "create_thin 1")
    mapper.create("vg-thin", [Target(0, 131072, "thin", "/dev/mapper/vg-pool-tpool 1")])
    before = emulated.files.identify("/b/disk").allocated_bytes
    emulated.write("vg-thin", offset_bytes=0, length_bytes=10 * 65536)
    assert emulated.files.identify("/b/disk").allocated_bytes >= before + 10 * 65536
    line = "0 131072 thin-pool 0 112/1024 10/1024 - rw discard_passdown queue_if_no_space - 256 "
    assert str(mapper.status_flush("vg-pool-tpool").targets[0]) == line
    assert refusal(mapper.remove, "vg-pool_tmeta") == errno.EBUSY


def test_a_data_device_that_cannot_discard_switches_passdown_off(bench):
    bench.mapper.create("zeroes", [Target(0, 1 << 20, "zero", "")])
    bench.machine.files.make_sparse_file("/b/meta2", 4 << 20)
    meta = bench.machine.loops.attach("/b/meta2", autoclear=False).path
    bench.mapper.create("q", [Target(0, 1 << 20, "thin-pool", f"{meta} /dev/mapper/zeroes 128 0")])
    words = bench.mapper.status("q").targets[0].params.split()
    assert words[5] == "no_discard_passdown"
    assert bench.mapper.table("q").targets[0].params.endswith(" 128 0 0 ")
