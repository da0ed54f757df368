"""Moves the story of a demonstration: on, back, by itself; what it does to the machine is done in a thread."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

from textual.message import Message

from dmtui.lab.player import Player
from dmtui.lab.scenario import reading_seconds
from dmtui.thinpool.errors import DmtuiError
from dmtui.tui.paint.narration import Narration

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_BEAT_SECONDS = 0.5
_LEAVING_SECONDS = 1.0


class Beat(Message):
    """A part of a long act is done: the figures have moved."""


class Settled(Message):
    """What was under way is done."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


class Narrator:
    """The story and its clock. Everything but the acts happens in the thread of the dashboard.

    Args:
        player: plays the steps.
        post: takes a message, from any thread.
        speed: how many times as fast as normal.
        clock: seconds, for the pace.
    """

    def __init__(
        self,
        player: Player,
        post: Callable[[Message], object],
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._player, self._post, self._clock = player, post, clock
        self._page, self._working, self._problem = 0, False, ""
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self.playing, self.speed = True, speed
        self._due = 0.0
        self._rest()
        player.stage.beat = self._beat

    @property
    def narration(self) -> Narration:
        """Where the story is."""
        steps, played = self._player.scenario.steps, self._player.played
        step = steps[self._page - 1] if 0 < self._page <= len(steps) else None
        done = played[self._page - 1] if step is not None and len(played) >= self._page and not self._working else None
        return Narration(
            self._player.scenario, self._page, step, done, self._working, self.playing, self.speed, self._problem
        )

    def on(self) -> None:
        """One page on; while something is under way it is done without pauses."""
        if self._working:
            self._hurry.set()
        elif self._page < self._player.steps:
            self._page += 1
            self._begin(self._player.play)
        else:
            self._page = self._player.steps + 1
            self.playing = False

    def back(self) -> None:
        """One page back; the machine is what it was then, and the story rests."""
        self.playing = False
        if self._working or self._page == 0:
            return
        self._page -= 1
        if self._page < len(self._player.played):
            self._begin(self._player.back)

    def restart(self) -> None:
        """Back to the opening."""
        if self._working:
            return
        self._page, self.playing = 0, True
        self._begin(self._player.restart)

    def hold(self) -> None:
        """Go on only when told to."""
        self.playing = False

    def play(self) -> None:
        """Go on by itself; at the end that means from the start."""
        if self.narration.closing:
            self.restart()
        self.playing = True
        self._rest()

    def slower(self) -> None:
        """The next lower speed."""
        self.speed = next((each for each in reversed(SPEEDS) if each < self.speed), SPEEDS[0])
        self._rest()

    def faster(self) -> None:
        """The next higher speed."""
        self.speed = next((each for each in SPEEDS if each > self.speed), SPEEDS[-1])
        self._rest()

    def is_due(self) -> bool:
        """Whether the page was shown long enough to go on."""
        return self.playing and not self._working and self._clock() >= self._due

    def settle(self, problem: str) -> None:
        """What was under way is done."""
        self._working, self._problem = False, problem
        self._hurry.clear()
        failed = bool(problem) or (self.narration.played is not None and bool(self.narration.played.failure))
        self.playing = self.playing and not failed
        self._rest()

    def stop(self) -> None:
        """Let what is under way come to its end."""
        self._hurry.set()
        if self._thread is not None:
            self._thread.join(_LEAVING_SECONDS)

    def _begin(self, act: Callable[[], object]) -> None:
        self._working, self._problem = True, ""
        self._thread = threading.Thread(target=self._act, args=(act,), name="demonstration", daemon=True)
        self._thread.start()

    def _act(self, act: Callable[[], object]) -> None:
        problem = ""
        try:
            act()
        except (DmtuiError, OSError, sqlite3.Error) as error:
            problem = str(error)
        self._post(Settled(problem))

    def _beat(self) -> None:
        self._post(Beat())
        self._hurry.wait(_BEAT_SECONDS / self.speed)

    def _rest(self) -> None:
        """Give the page its time from now on."""
        self._due = self._clock() + reading_seconds(self.narration.text) / self.speed
