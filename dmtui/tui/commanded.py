"""An app with a palette of ours in the place of Textual's, which loses keys that come in a burst."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from textual.app import App, SystemCommand
from textual.binding import ActiveBinding
from textual.events import Event, Key
from textual.screen import Screen
from textual.widgets import Input

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM
_OPEN_A_LINE = ("colon", "slash")
"""Keys after which something is typed: the palette's and the filter's."""


class CommandedApp(App[None]):
    """What `get_system_commands` gives is offered by our palette, and so are the themes."""

    ENABLE_COMMAND_PALETTE = False
    _ascii = False

    def on_mount(self) -> None:
        """Told to end, give the terminal back as it was."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, partial(self.exit, None, _ENDED_BY_SIGTERM))

    async def on_event(self, event: Event) -> None:
        """What opens a line to type into does so before the next key is looked at, which is meant for that line."""
        opens = self._opening(event) if isinstance(event, Key) and event.key in _OPEN_A_LINE else None
        if opens is None:
            await super().on_event(event)
        else:
            await self.run_action(opens.binding.action, opens.node)

    def _opening(self, event: Key) -> ActiveBinding | None:
        """What a key opens; None where it has come this way before, is typed, or concerns what lies over a screen."""
        screen = cast("Screen[Any]", self.screen)  # pyright: ignore[reportUnknownMemberType]
        if event.is_forwarded or isinstance(self.focused, Input) or screen.is_modal:
            return None
        bound = screen.active_bindings.get(event.key)
        return bound if bound is not None and bound.enabled else None

    async def action_command_palette(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it may wait
        """Let something be found by its name."""
        commands = self.get_system_commands(self.screen)  # pyright: ignore[reportUnknownMemberType]
        await self._offer(tuple(commands), "Palette")

    def search_themes(self) -> None:
        """Let a theme be found by its name."""
        commands = [
            SystemCommand(theme.name, "dark" if theme.dark else "light", partial(setattr, self, "theme", theme.name))
            for theme in sorted(self.available_themes.values(), key=lambda theme: theme.name)
        ]
        self.call_next(self._offer, commands, "Theme")

    async def _offer(self, commands: Sequence[SystemCommand], title: str) -> None:
        """Show the palette, and wait until it is there: the keys that follow are meant for it."""
        from dmtui.tui.screens.palette import PaletteScreen  # noqa: PLC0415 - read when it is asked for

        self.delay_update()  # it comes in one picture
        await self.push_screen(PaletteScreen(commands, title, ascii=self._ascii), self._do)

    def _do(self, chosen: Callable[[], object] | None) -> None:
        if chosen is not None:
            self.call_later(chosen)
