"""Lines of text with roles: exact widths, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dmtui.thinpool.text import printable
from dmtui.tui.lines import (
    Span,
    changed_cells,
    crop,
    fit,
    fit_middle,
    fit_path,
    line,
    spread,
    text_of,
    width_of,
    without_aside,
)

ANY_NAME = st.text(max_size=60).map(printable)


@given(ANY_NAME, st.integers(0, 50))
def test_fitted_text_has_exactly_the_width(text, width):
    for fitted in (fit(text, width), fit(text, width, "right"), fit_middle(text, width), fit_path(text, width)):
        assert cell_len(fitted) == width


@given(ANY_NAME, ANY_NAME, st.integers(1, 60))
def test_spread_fills_the_line_when_the_right_side_fits(left, right, width):
    spans = spread([Span(left)], [Span(right)], width)
    if cell_len(right) < width:
        assert width_of(spans) == width


@given(st.lists(ANY_NAME, max_size=5), st.integers(0, 40))
def test_cropped_spans_never_exceed_the_width(texts, width):
    assert width_of(crop([Span(text) for text in texts], width)) <= width


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("docker-8:1-4718594-pool", 15, "docker-…94-pool"),
        ("short", 8, "short   "),
    ],
)
def test_names_lose_their_middle(text, width, expected):
    assert fit_middle(text, width) == expected


def test_paths_lose_their_beginning_at_a_slash():
    assert fit_path("/var/lib/docker/devicemapper/devicemapper/data", 20).rstrip() == "…/devicemapper/data"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (line("13:33:20"), line("13:33:21"), (7, 1)),
        (line("age 9 s"), line("age 10 s"), (4, 4)),
        (line(Span("ok", "ok")), line(Span("ok", "crit")), (0, 2)),
        (line("same"), line("same"), (4, 0)),
        (line("日本 1 x"), line("日本 2 x"), (5, 1)),
    ],
)
def test_only_the_cells_that_differ_are_painted_again(before, after, expected):
    assert changed_cells(before, after) == expected


@given(ANY_NAME, ANY_NAME)
def test_changed_cells_cover_every_difference(before, after):
    start, count = changed_cells(line(before), line(after))
    assert start >= 0
    assert count >= 0
    assert start + count <= max(cell_len(before), cell_len(after))
    if before != after and cell_len(before) == cell_len(after):
        assert count > 0 or cell_len(after) == start


def test_text_of_lines_has_no_trailing_blanks():
    assert text_of([line("a ", Span("b  ", "ok")), ()]) == "a b\n"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("full (all of it)", 16, "full (all of it)"),
        ("full (all of it)", 15, "full"),
        ("full (all) now", 5, "full (all) now"),
        ("(all of it)", 3, "(all of it)"),
    ],
)
def test_an_aside_that_does_not_fit_goes_as_a_whole(text, width, expected):
    assert without_aside(text, width) == expected
