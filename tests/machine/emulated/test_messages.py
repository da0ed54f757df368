"""Messages to a pool: what they do, and the kernel's errno for each misuse, as captured on a real kernel."""

import errno

import pytest

from dmtui.machine.errors import ExistsError, MachineError, NoSuchThinIdError, PoolRefusesError

ACCEPTED = ("create_thin 0", "create_thin +2", "create_thin 03", "CREATE_THIN 4", "  create_thin   5  ")
INVALID = (
    "", "create_thin", "create_thin 1 2", "create_thin x", "create_thin -1", "create_thin 16777216",
    "create_thin 18446744073709551616", "create_thin 1.5", "create_thin 0x10", "bogus", "delete_thin 1",
    "@create_thin 1", "create_snap", "create_snap 10", "create_snap 10 1 2", "create_snap 16777216 1",
    "create_snap 10 16777216", "create_snap x 1", "delete", "delete x", "set_transaction_id",
    "set_transaction_id 0", "set_transaction_id 1 2", "set_transaction_id x 8", "set_transaction_id 0 x",
    "release_metadata_snap", "reserve_metadata_snap x", "release_metadata_snap x",
)  # fmt: skip


def number_of(bench, text: str) -> int:
    with pytest.raises(MachineError) as caught:
        bench.msg(text)
    return caught.value.errno


@pytest.mark.parametrize("text", [*ACCEPTED, "create_thin \\6", "create_thin 16777215"])
def test_ids_are_decimal_and_words_are_free_in_case_and_blanks(bench, text):
    assert bench.msg(text) == ""
    assert bench.line().split()[4] == "112/1024"


@pytest.mark.parametrize("text", INVALID)
def test_malformed_messages_are_invalid(bench, text):
    bench.msg("create_thin 7")
    before = bench.line()
    assert number_of(bench, text) == errno.EINVAL
    assert bench.line() == before


def test_a_taken_id_exists_already(bench):
    bench.msg("create_thin 1")
    bench.msg("create_thin 2")
    for text in ("create_thin 1", "create_snap 1 2", "create_snap 1 1", "create_snap 1 99"):
        with pytest.raises(ExistsError):
            bench.msg(text)


def test_an_unknown_id_is_no_data(bench):
    for text in ("create_snap 10 99", "delete 99"):
        with pytest.raises(NoSuchThinIdError):
            bench.msg(text)


def test_an_active_thin_cannot_be_deleted(bench):
    bench.thin(1)
    assert number_of(bench, "delete 1") == errno.EBUSY
    bench.mapper.remove("t1")
    bench.msg("delete 1")


def test_a_table_not_yet_live_keeps_its_thin_too(bench):
    bench.thin(1)
    bench.msg("create_thin 2")
    bench.mapper.load("t1", [bench.mapper.table("t1").targets[0].__class__(0, 128, "thin", "254:0 2")])
    assert number_of(bench, "delete 2") == errno.EBUSY


def test_the_transaction_id_may_go_anywhere_from_where_it_is(bench):
    for step in ("0 7", "7 7", "7 18446744073709551615", "18446744073709551615 3", "3 2"):
        bench.msg(f"set_transaction_id {step}")
    assert bench.line().split()[3] == "2"


def test_only_one_metadata_snapshot_is_held_and_it_survives_reactivation(bench):
    bench.thin(40)
    bench.write("t40", *range(20))
    bench.msg("reserve_metadata_snap")
    held = bench.line().split()[6]
    assert held.isdigit()
    assert number_of(bench, "reserve_metadata_snap") == errno.EBUSY
    bench.mapper.remove("t40")
    bench.mapper.remove("p")
    bench.mapper.create("p", [bench.table()])
    assert bench.line().split()[6] == held
    bench.msg("delete 40")
    assert bench.line().split()[5] == "20/1024"
    bench.msg("release_metadata_snap")
    assert bench.line().split()[4:7] == ["111/1024", "0/1024", "-"]


def test_messages_reach_a_suspended_pool(bench):
    bench.mapper.suspend("p")
    bench.msg("create_thin 1")


def test_a_thin_takes_no_messages(bench):
    bench.thin(1)
    with pytest.raises(MachineError) as caught:
        bench.mapper.message("t1", "create_thin 3")
    assert caught.value.errno == errno.EINVAL


def test_a_read_only_pool_refuses_every_message(bench):
    bench.msg("create_thin 1")
    bench.reload("0 1 read_only")
    for text in ("create_thin 2", "delete 1", "set_transaction_id 0 1", "bogus"):
        with pytest.raises(PoolRefusesError):
            bench.msg(text)


def test_a_refusal_says_what_the_kernels_log_says(bench):
    with pytest.raises(MachineError, match=r"Deletion of thin device 99 failed\."):
        bench.msg("delete 99")


def test_metadata_used_follows_the_captured_run(bench):
    for text in ("create_thin 0", "create_thin 1", "create_thin 2", "create_thin 3", "create_thin 4"):
        bench.msg(text)
    for text in ("create_thin 5", "create_thin 6", "create_thin 16777215"):
        bench.msg(text)
    assert bench.line().split()[4] == "119/1024"
    bench.msg("create_snap 10 1")
    bench.msg("create_snap 11 10")
    assert bench.line().split()[4] == "119/1024"
    bench.activate(1)
    bench.write("t1", *range(5))
    assert bench.line().split()[4:6] == ["120/1024", "5/1024"]
    bench.msg("create_snap 20 1")
    assert bench.line().split()[4:6] == ["120/1024", "5/1024"]
    bench.write("t1", 0)
    assert bench.line().split()[4:6] == ["121/1024", "6/1024"]
