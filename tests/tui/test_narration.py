"""The lines of the panel that tells a story."""

import dataclasses
import re

import pytest

from dmtui.lab.player import Player
from dmtui.lab.scenarios import SCENARIOS, find
from dmtui.tui.figures import Density, Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.narration import Narration, _commands, narration_lines, next_part

WIDTHS = {Density.COMPACT: 76, Density.NORMAL: 114, Density.ROOMY: 194}
EVERY_DENSITY = pytest.mark.parametrize("density", WIDTHS)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every page of every demonstration."""
    found = []
    for scenario in SCENARIOS:
        player = Player(scenario, tmp_path_factory.mktemp("machines") / scenario.name)
        found.append(Narration(scenario))
        for page, step in enumerate(scenario.steps, start=1):
            found.append(Narration(scenario, page, step, working=True))
            found.append(Narration(scenario, page, step, player.play()))
        found.append(Narration(scenario, len(scenario.steps) + 1))
        player.close()
    return found


@EVERY_DENSITY
def test_a_step_has_always_the_same_number_of_lines_and_they_fit(pages, density):
    width = WIDTHS[density]
    painted = [narration_lines(page, Look(density=density), width) for page in pages if not page.closing]
    assert len({len(lines) for lines in painted}) == 1
    assert all(width_of(spans) <= width for lines in painted for spans in lines)


@EVERY_DENSITY
def test_what_came_of_a_step_is_told_whole_at_every_size(pages, density):
    for page in pages:
        if page.played is not None:
            text = text_of(narration_lines(page, Look(density=density), WIDTHS[density]))
            # A path that is longer than the line is broken within: how long it is depends on who runs the test.
            told = "".join(page.played.told.split())
            assert told.replace("/tmp", "")[-50:] in "".join(text.split()).replace("/tmp", ""), text


@EVERY_DENSITY
def test_a_command_is_always_among_the_lines_where_there_is_one(pages, density):
    for page in pages:
        if page.played is not None:
            text = text_of(narration_lines(page, Look(density=density), WIDTHS[density]))
            assert "\n# " in text or "more: ; shows all of it" in text


def squeezed(text):
    """Without the spaces, at which lines are broken; and without the signs of a part."""
    return "".join(re.sub(r"… part \d+ of \d+: ; \S.*|; folds it", "", text).split())


def all_parts(page, density):
    """Everything that the key shows one after another, from the first part on."""
    width, shown = WIDTHS[density], []
    for _ in range(20):
        shown.append(text_of(narration_lines(page, Look(density=density), width)[1:]))
        page = dataclasses.replace(page, part=next_part(page, width))
        if page.part == 0:
            return shown
    raise AssertionError("it goes on for ever")


@EVERY_DENSITY
def test_what_is_not_told_at_first_is_told_by_a_key_and_nothing_is_cut(pages, density):
    for page in pages:
        first, *parts = all_parts(page, density)
        if "shows all of it" not in first and not page.closing:
            assert "…" not in first
            continue
        told = squeezed("\n".join([first, *parts] if page.closing else parts))
        words = page.scenario.remember if page.closing else (page.step.intro, page.played.told, *page.played.errors)
        for text in (*words, *_commands(page)):
            assert squeezed(text) in told


@EVERY_DENSITY
def test_what_to_remember_and_the_real_commands_are_told_whole_at_once(pages, density):
    closings = [page for page in pages if page.closing]
    assert len(closings) == len(SCENARIOS)
    for page in closings:
        assert len(all_parts(page, density)) == 1


def test_in_a_very_small_terminal_the_end_has_parts_too():
    page = Narration(find("overprovision"), 99, room=4)
    width = WIDTHS[Density.COMPACT]
    parts = all_parts(page, Density.COMPACT)
    assert parts[0].endswith(f"… part 1 of {len(parts)}: ; goes on")
    assert parts[-1].endswith("; is the first again")
    assert all(len(part.splitlines()) <= 4 for part in parts)
    assert next_part(dataclasses.replace(page, part=len(parts) - 1), width) == 0


def test_in_ascii_nothing_else_is_drawn(pages):
    for page in pages:
        text_of(narration_lines(page, Look(glyphs=ASCII, density=Density.COMPACT), 76)).encode("ascii")


def test_the_head_says_how_far_it_is_and_whether_it_goes_on():
    scenario = find("grow")
    page = Narration(scenario, 2, scenario.steps[1])
    states = {
        "playing": page,
        "paused": dataclasses.replace(page, playing=False),
        "working": dataclasses.replace(page, working=True),
    }
    for word, view in states.items():
        head = text_of(narration_lines(view, Look(), 100)[:1])
        assert head.startswith("2/5 More data space")
        assert f"{word} 1x" in head


def test_a_problem_of_the_story_itself_is_told():
    scenario = find("grow")
    view = Narration(scenario, 1, scenario.steps[0], problem="disk full")
    assert "This did not work: disk full" in text_of(narration_lines(view, Look(), 100))
