"""Demonstrations under test: played from a name, each in a directory of its own."""

import pytest

from dmtui.lab.player import Player
from dmtui.lab.scenarios import find


@pytest.fixture
def player(tmp_path):
    """Makes the player of a scenario, at its beginning."""
    made = []

    def make(name, directory=None):
        scenario = find(name)
        assert scenario is not None, name
        made.append(Player(scenario, directory or tmp_path / f"machine{len(made)}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def played(player):
    """Plays a scenario to the end of its step of a title; returns the stage and what that step came to."""

    def play(name, title):
        found = player(name)
        while found.upcoming is not None:
            outcome = found.play()
            assert outcome.failure == "", outcome
            if outcome.step.title == title:
                return found.stage, outcome
        raise AssertionError(f"{name} has no step {title}")

    return play
