"""The dashboard in a real terminal, used through the keyboard only."""

from __future__ import annotations

import re
import time

from tests.kernel.terminal import Terminal

_READY = re.compile(r"exactly as below|cannot be undone|nothing to do")
_HAND_SECONDS = 0.7
_ENDED = re.compile(r"done in|failed: ")


class Keyboard:
    """Somebody at the keyboard of a dashboard that runs already."""

    def __init__(self, terminal: Terminal):
        self._terminal = terminal

    def operate(self, key: str, title: str, *texts: str, confirm: str = "", from_cancel: bool = False) -> str:
        """Press the key of an operation, fill its fields in, run what was planned; returns the last screen.

        Args:
            texts: what goes into the fields; after each Enter leads on, from the last one to the run.
            confirm: what has to be typed then.
            from_cancel: the dialog begins on Cancel, and Run is one step to the right.
        """
        self._terminal.keys(key)
        self._terminal.wait_for(lambda screen: f"─ {title}" in screen)
        for number, text in enumerate(texts):
            self._type(text)
            if number < len(texts) - 1:
                self._terminal.keys("Enter")
        time.sleep(_HAND_SECONDS)
        self._terminal.wait_for(_READY.search)
        if from_cancel:
            self._terminal.keys("Right")
        self._terminal.keys("Enter")
        if confirm:
            self._type(confirm)
            self._terminal.keys("Enter")
        screen = self._terminal.wait_for(_ENDED.search)
        self._terminal.keys("Escape")
        self._terminal.wait_for(lambda screen: not _ENDED.search(screen))
        return screen

    def look(self, key: str, wanted: str) -> str:
        """Go to another screen and wait until it shows something."""
        self._terminal.keys(key)
        return self._terminal.wait_for(lambda screen: wanted in screen)

    def _type(self, text: str) -> None:
        """Type at the speed of a hand: a field that is emptied and filled in one burst keeps nothing of it."""
        time.sleep(_HAND_SECONDS)
        self._terminal.keys("End", "C-u")
        time.sleep(_HAND_SECONDS)
        if text:
            self._terminal.tmux("send-keys", "-t", "main", "-l", text)
            self._terminal.wait_for(lambda screen: text in screen)
