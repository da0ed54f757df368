"""A line to type into that takes keys in the order in which they were pressed, however fast they come.

Textual inserts letters at once and lets every other key wander up to the app first: in a burst (from a script, over a
slow line) ctrl+u then takes away what was typed after it, and what follows a tab lands in the field before.
"""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar, cast

from textual.binding import Binding
from textual.events import Key
from textual.screen import Screen
from textual.widgets import Input

_ACTIONS = {
    key: binding.action for binding in Input.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")
} | {"tab": "app.focus_next", "shift+tab": "app.focus_previous"}


class Entry(Input):
    """An `Input` without blinking, which would cost bytes for ever."""

    AT_ONCE: ClassVar[dict[str, str]] = {}
    """Further keys, each with the action that it stands for."""

    def on_mount(self) -> None:
        """Let the cursor stand."""
        self.cursor_blink = False

    async def on_key(self, event: Key) -> None:
        """Do at once what a key stands for; what was typed after the focus had moved on follows it."""
        focused = cast("Screen[Any]", self.screen).focused  # pyright: ignore[reportUnknownMemberType]
        actions = _ACTIONS | self.AT_ONCE
        action = next((actions[key] for key in event.aliases if key in actions), None)
        if focused is not None and focused is not self:
            focused.post_message(copy(event))  # a new one would wander through the app once more
            event.stop().prevent_default()
        elif action is not None:
            event.stop().prevent_default()
            await self.run_action(action)
