"""The lines of the panel that tells a story."""

import dataclasses

import pytest

from dmtui.lab.player import Player
from dmtui.lab.scenarios import SCENARIOS, find
from dmtui.tui.figures import Density, Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.lines import text_of, width_of
from dmtui.tui.paint.narration import Narration, narration_lines

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
def test_it_has_always_the_same_number_of_lines_and_they_fit(pages, density):
    width = WIDTHS[density]
    painted = [narration_lines(page, Look(density=density), width) for page in pages]
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
            assert "\n# " in text or "more: dmtui demo" in text


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
