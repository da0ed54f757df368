"""Status lines of every kernel are read and printed back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.status import (
    DiscardPolicy,
    NoSpacePolicy,
    PoolFigures,
    PoolMode,
    PoolStatus,
    ThinStatus,
    Usage,
)

KERNEL_LINES = [
    # Captured on a 6.1 kernel.
    "0 111/1024 0/1024 - rw discard_passdown queue_if_no_space - 256 ",
    "0 112/1024 40/40 - rw discard_passdown queue_if_no_space - 256 ",
    "0 112/1024 40/40 - out_of_data_space discard_passdown queue_if_no_space - 256 ",
    "0 114/1024 60/60 - out_of_data_space discard_passdown error_if_no_space - 256 ",
    "0 256/256 0/40 - ro discard_passdown queue_if_no_space - 64 ",
    "0 26/32 2937/4000 - ro discard_passdown queue_if_no_space needs_check 8 ",
    "2 121/1024 20/4096 123 rw discard_passdown queue_if_no_space - 256 ",
    "0 111/1024 0/1024 - rw ignore_discard error_if_no_space - 256 ",
    "18446744073709551615 111/1024 0/1024 - rw no_discard_passdown queue_if_no_space - 256 ",
    "Fail",
    "Error",
]
OLDER_LINES = [
    "91 422/524288 18338/1638400 - rw discard_passdown queue_if_no_space - ",  # 4.3 to 4.18: no watermark
    "91 422/524288 18338/1638400 - rw discard_passdown queue_if_no_space ",  # before needs_check
    "91 422/524288 18338/1638400 - ro discard_passdown ",  # before the no-space policy
    "91 422/524288 18338/1638400 7 ",  # 3.2
]
BAD_LINES = [
    "",
    "rw",
    "Fail Fail",
    "1 2/3 4/5",
    "1 2/3 4/5 x rw",
    "x 2/3 4/5 - rw",
    "1 2-3 4/5 - rw",
    "-1 2/3 4/5 - rw",
    "1 2/3 4/5 - Fail",
    "1 2/3 4/5 - rw maybe_discard",
    "1 2/3 4/5 - rw discard_passdown hold_if_no_space",
    "1 2/3 4/5 - rw discard_passdown queue_if_no_space perhaps",
    "1 2/3 4/5 - rw discard_passdown queue_if_no_space - lots",
]


@pytest.mark.parametrize("line", KERNEL_LINES + OLDER_LINES)
def test_a_line_of_a_kernel_is_printed_back_as_it_came(line):
    assert str(PoolStatus.parse(line)) == line


@pytest.mark.parametrize("line", KERNEL_LINES + OLDER_LINES)
def test_a_missing_trailing_blank_is_no_difference(line):
    assert PoolStatus.parse(line.rstrip()) == PoolStatus.parse(line)


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_no_kernel_prints_is_refused(line):
    with pytest.raises(MalformedError):
        PoolStatus.parse(line)


def test_fields_that_a_kernel_does_not_print_are_unknown():
    status = PoolStatus.parse(OLDER_LINES[3])
    assert (status.mode, status.discard, status.no_space) == (None, None, None)
    assert (status.needs_check, status.metadata_low_water_mark_blocks) == (None, None)
    assert status.figures is not None
    assert status.figures.held_root_block == 7


def test_a_failed_pool_has_no_figures():
    assert PoolStatus.parse("Fail") == PoolStatus(PoolMode.FAIL, None)


def test_words_of_a_newer_kernel_are_passed_over():
    line = KERNEL_LINES[0]
    assert PoolStatus.parse(line + "something new") == PoolStatus.parse(line)


def test_the_live_metadata_leaves_out_the_hidden_reserve():
    figures = PoolStatus.parse(KERNEL_LINES[0]).figures
    assert figures is not None
    assert figures.metadata_live_blocks == 9


blocks = st.integers(0, 2**40)
usages = st.builds(Usage, blocks, blocks)
figures = st.builds(PoolFigures, st.integers(0, 2**64 - 1), usages, usages, st.none() | blocks)


@st.composite
def statuses(draw):
    """Any status that some kernel could print: a later field only where every earlier one is there."""
    if draw(st.booleans()) and draw(st.booleans()):
        return PoolStatus(draw(st.sampled_from([PoolMode.FAIL, PoolMode.ERROR])), None)
    fields = [
        draw(st.sampled_from([PoolMode.READ_WRITE, PoolMode.READ_ONLY, PoolMode.OUT_OF_DATA_SPACE])),
        draw(st.sampled_from(DiscardPolicy)),
        draw(st.sampled_from(NoSpacePolicy)),
        draw(st.booleans()),
        draw(blocks),
    ]
    known = draw(st.integers(0, 5))
    return PoolStatus(fields[0] if known else None, draw(figures), *fields[1:known])


@given(statuses())
def test_every_pool_status_survives_printing_and_parsing(status):
    assert PoolStatus.parse(str(status)) == status


@given(st.text())
def test_any_text_is_parsed_or_refused_but_never_crashes(text):
    for parse in (PoolStatus.parse, ThinStatus.parse):
        try:
            parse(text)
        except MalformedError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("line", ["0 -", "128 127", "10240 20479", "Fail", "Error", "-"])
def test_a_thin_line_is_printed_back(line):
    assert str(ThinStatus.parse(line)) == line


@given(st.integers(0, 2**55), st.none() | st.integers(0, 2**55))
def test_every_thin_status_survives(mapped, highest):
    status = ThinStatus(mapped, highest)
    assert ThinStatus.parse(str(status)) == status


@pytest.mark.parametrize("line", ["", "1", "1 2 3", "- -", "x 1", "1 x"])
def test_a_wrong_thin_line_is_refused(line):
    with pytest.raises(MalformedError):
        ThinStatus.parse(line)
