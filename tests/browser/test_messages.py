"""What a browser may say, and what becomes of everything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmtui.browser.messages import (
    Focused,
    GarbledMessageError,
    Pinged,
    Resized,
    Typed,
    bounded,
    read_message,
    read_size,
)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.sampled_from(["width", "height", "x"]), each),
)


@pytest.mark.parametrize(
    ("message", "meant"),
    [
        (["stdin", "q"], Typed(b"q")),
        (["stdin", "ä"], Typed("ä".encode())),
        (["resize", {"width": 120, "height": 40}], Resized(120, 40)),
        (["ping", "1795690938350"], Pinged("1795690938350")),
        (["focus"], Focused(True)),
        (["blur"], Focused(False)),
    ],
)
def test_the_page_s_five_messages_are_understood(message, meant):
    assert read_message(json.dumps(message)) == meant


def test_half_a_character_is_typed_as_a_question_mark():
    assert read_message('["stdin", "\\ud800"]') == Typed(b"?")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "q",
        "[",
        "[" * 60_000,
        "null",
        "{}",
        "[]",
        '["quit"]',
        '["stdin"]',
        '["stdin", 1]',
        '["stdin", "a", "b"]',
        '["stdin", null]',
        '["resize", {}]',
        '["resize", {"width": "1", "height": 1}]',
        '["resize", {"width": 1.5, "height": 1}]',
        '["resize", {"width": 1e400, "height": 1}]',
        '["resize", {"width": NaN, "height": 1}]',
        '["resize", {"width": null, "height": 1}]',
        '["ping", {}]',
        '["deliver_chunk_request", "x"]',
        "1" * 60_000,
    ],
)
def test_everything_else_is_garbled(text):
    with pytest.raises(GarbledMessageError):
        read_message(text)


@given(ANYTHING)
def test_no_json_at_all_does_more_than_being_garbled(value):
    try:
        message = read_message(json.dumps(value))
    except GarbledMessageError:
        return
    assert isinstance(message, Typed | Resized | Pinged | Focused)


@given(st.text())
def test_no_text_at_all_does_more_than_being_garbled(text):
    try:
        read_message(text)
    except GarbledMessageError:
        return


@given(st.integers(), st.integers())
def test_every_size_that_is_asked_for_can_be_drawn(width, height):
    columns, rows = bounded(width, height)
    assert 1 <= columns <= 1000
    assert 1 <= rows <= 400


def test_a_size_that_can_be_drawn_is_taken_as_it_is():
    assert bounded(300, 80) == (300, 80)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"width": "120", "height": "40"}, (120, 40)),
        ({"width": "-5", "height": "999999999"}, (1, 400)),
        ({}, (80, 24)),
        ({"width": "120"}, (80, 24)),
        ({"width": "wide", "height": "40"}, (80, 24)),
        ({"width": "1" * 5000, "height": "40"}, (80, 24)),
    ],
)
def test_a_connection_says_its_size_or_gets_a_terminal_s_usual_one(query, size):
    assert read_size(query) == size
