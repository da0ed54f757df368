"""What holds for every demonstration: it can be played, repeated to the byte, and says nothing that was typed in."""

import ast
import inspect
import sqlite3
from contextlib import closing
from functools import cache

import pytest

from dmtui.lab.headless import SHOWN_DIRECTORY, lines
from dmtui.lab.player import Player
from dmtui.lab.scenario import Place, reading_seconds
from dmtui.lab.scenarios import SCENARIOS, find
from dmtui.machine.emulated.store import FILE_NAME
from dmtui.tui.actions import Scope

EVERY = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def texts_of_tellers(scenario):
    """The words that stand in the functions which tell what came of a step."""
    for step in scenario.steps:
        tree = ast.parse(inspect.getsource(step.tell))
        formats = {
            id(spec) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue) for spec in [node.format_spec]
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in formats:
                yield node.value


def store_of(directory):
    """Every row of the machine's store, but for the directory's name and for what is not below it."""
    found = {}
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = [repr(row) for row in connection.execute(f"SELECT * FROM {table}")]
            if table == "settings":  # each directory above takes 4 KiB of the host
                rows = [row for row in rows if "host_others_bytes" not in row]
            if table == "files":
                rows = [row for row in rows if f"{directory}/" in row]
            found[table] = sorted(row.replace(str(directory), SHOWN_DIRECTORY) for row in rows)
    return found


def text_of(player, directory):
    return "\n".join(lines(player, directory))


@pytest.fixture(scope="module")
def told_once(tmp_path_factory):
    """Plays and prints a scenario, once for all tests that look at what came of it: some take seconds.

    Returns what each step came to, the text, and the directory that it lay in.
    """

    @cache
    def told(scenario):
        directory = tmp_path_factory.mktemp(scenario.name) / "machine"
        player = Player(scenario, directory)
        text = text_of(player, directory)
        player.close()
        return tuple(player.played), text, directory

    return told


@EVERY
def test_it_gives_the_same_bytes_and_leaves_the_same_store_wherever_it_lies(scenario, player, told_once, tmp_path):
    _, first, shallow = told_once(scenario)
    deep = tmp_path / "much" / "deeper" / "down" / "b"
    deep.parent.mkdir(parents=True)
    second = text_of(player(scenario.name, deep), deep)
    assert first == second
    assert str(shallow) not in first
    assert str(deep) not in second
    assert store_of(shallow) == store_of(deep)
    assert all(store_of(shallow)[table] for table in ("files", "nodes", "settings"))


@EVERY
def test_each_step_does_what_it_says_without_failing(scenario, told_once):
    outcomes, _, _ = told_once(scenario)
    assert len(outcomes) == len(scenario.steps)
    for outcome in outcomes:
        assert outcome.failure == ""
        assert outcome.told
        assert "{" not in outcome.told + "".join(outcome.looking)


@EVERY
def test_no_figure_is_typed_into_what_it_tells(scenario):
    for text in texts_of_tellers(scenario):
        assert not any(sign.isdigit() for sign in text), text


@EVERY
def test_what_it_says_before_the_act_has_no_figures(scenario):
    for step in scenario.steps:
        assert not any(sign.isdigit() for sign in step.intro), step.intro


@EVERY
def test_it_takes_one_to_three_minutes(scenario, told_once):
    told = (f"{outcome.step.intro} {outcome.told}" for outcome in told_once(scenario)[0])
    seconds = sum(map(reading_seconds, told))
    seconds += reading_seconds(" ".join(scenario.remember))
    assert 60 <= seconds <= 180


@EVERY
def test_it_ends_with_what_to_remember_and_the_real_commands(scenario, told_once):
    _, text, _ = told_once(scenario)
    ending = text[text.index("\nRemember\n") :]
    assert ending.count("\n   - ") == len(scenario.remember) >= 3
    assert ending.count("\n   # ") == len(scenario.commands) >= 3


@EVERY
def test_its_name_is_found_and_its_summary_is_one_sentence(scenario):
    assert find(scenario.name) is scenario
    assert scenario.summary.endswith(".")
    assert scenario.summary.count(". ") == 0


def test_names_are_unique():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_a_place_is_a_screen_of_the_dashboard():
    assert {place.value for place in Place} <= {scope.value for scope in Scope}


def test_the_text_has_each_step_with_the_status_lines_around_it(player, tmp_path):
    directory = tmp_path / "machine"
    played = player("snapshots", directory)
    text = text_of(played, directory)
    for outcome in played.played:
        assert f"{outcome.number}/{played.steps} {outcome.step.title}\n" in text
        assert f"   before: {outcome.before}\n   after:  {outcome.after}\n" in text
        for command in (*outcome.commands, *outcome.looking):
            assert command.replace(str(directory), SHOWN_DIRECTORY) in text


def test_the_text_says_so_where_there_is_no_pool(player, tmp_path):
    directory = tmp_path / "machine"
    assert text_of(player("leaked-mount", directory), directory).count("   after:  no pool\n") == 1
