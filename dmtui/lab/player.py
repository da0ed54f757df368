"""Plays a demonstration: on, back, from the start; it knows nothing of screens and of time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dmtui.lab.checkpoint import Checkpoints
from dmtui.lab.scenario import Scenario, Step
from dmtui.lab.stage import MOMENT, Stage
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen


@frozen
class Played:
    """What a step came to.

    Attributes:
        step: the step.
        number: its number, from 1.
        told: what came of it, in words; empty where it failed.
        commands: the commands that would do the same, in order.
        looking: the commands that show it.
        errors: what was refused, as the step wanted it.
        notes: what the engine said.
        before, after: the pool's status line; empty without a pool.
        failure: why the step could not be played; empty where it was.
    """

    step: Step
    number: int
    told: str = ""
    commands: tuple[str, ...] = ()
    looking: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    failure: str = ""


class Player:
    """A scenario on its stage.

    Attributes:
        stage: where it is played.
        played: what each step so far came to; as long as this is, so far the story is.
    """

    def __init__(
        self,
        scenario: Scenario,
        directory: Path,
        beat: Callable[[], None] = lambda: None,
        frozen_at: float | None = MOMENT,
    ) -> None:
        """Make the machine in a directory, which must be empty or missing, and prepare it.

        Args:
            scenario: what is played.
            directory: the machine's.
            beat: called between the parts of a long act.
            frozen_at: where the machine's clock stands still, seconds since the epoch; None lets it run.

        Raises:
            DmtuiError: the directory cannot be used.
        """
        _check_empty(directory)
        self.scenario = scenario
        self.stage = Stage(directory, scenario.options, frozen_at)
        self.played: list[Played] = []
        self._checkpoints = Checkpoints(directory)
        scenario.prepare(self.stage)
        self.stage.beat = beat  # nobody watches the preparation

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.scenario.steps)

    @property
    def ended(self) -> bool:
        """Whether every step was played."""
        return len(self.played) == self.steps

    @property
    def upcoming(self) -> Step | None:
        """The step that is played next."""
        return None if self.ended else self.scenario.steps[len(self.played)]

    def play(self) -> Played:
        """Play the next step. One that fails, because the watcher has changed the machine, is told and can be undone.

        Raises:
            IndexError: there is none.
        """
        stage, number = self.stage, len(self.played) + 1
        step = self.scenario.steps[number - 1]
        self._checkpoints.keep(number)
        stage.begin()
        told = failure = ""
        try:
            step.act(stage)
            stage.look()
            told = step.tell(stage)
        except DmtuiError as error:
            failure = str(error)
            stage.look()
        places = {"pool": stage.pool_name, "graph": stage.graph_directory, "prefix": str(stage.graph.prefix)}
        places["data_file"] = stage.graph.data_file
        played = Played(
            step,
            number,
            told,
            tuple(stage.commands),
            tuple(text.format(**places) for text in step.looking),
            tuple(stage.errors),
            tuple(stage.notes),
            stage.before.status_line,
            stage.now.status_line,
            failure,
        )
        self.played.append(played)
        return played

    def back(self) -> None:
        """Let the machine be as it was before the last step that was played; at the beginning nothing happens."""
        if self.played:
            self.played.pop()
            self._checkpoints.put_back(len(self.played) + 1)
            self.stage.look()

    def restart(self) -> None:
        """Let the machine be as it was at the beginning."""
        if self.played:
            self.played.clear()
            self._checkpoints.put_back(1)
            self.stage.look()

    def close(self) -> None:
        """Let go of the machine; the directory stays."""
        self.stage.close()


def _check_empty(directory: Path) -> None:
    try:
        used = directory.exists() and any(directory.iterdir())
    except OSError as error:
        raise DmtuiError(str(directory), f"cannot be used: {error.strerror}", "name another directory") from error
    if used:
        raise DmtuiError(str(directory), "is not empty", "name a directory that is empty or does not exist")
