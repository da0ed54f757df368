"""What all screens have in common: the lines at the top, the keys at the bottom, and being shown a state."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol, cast

from textual.app import App, ComposeResult
from textual.events import Event, Resize, ScreenResume
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from dmtui.tui.actions import Scope
from dmtui.tui.copying import Entry, copy
from dmtui.tui.figures import Density, Look
from dmtui.tui.freshness import Flow
from dmtui.tui.overlays import lay_over
from dmtui.tui.paint.timeline import timeline_lines
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.key_bar import KeyBar
from dmtui.tui.widgets.line_table import LineTable
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.top import Top
from dmtui.tui.wrong import Wrong

_ROOMY = (180, 58)
_NORMAL = (110, 34)


def density_of(width: int, height: int) -> Density:
    """The arrangement that suits a terminal."""
    if width >= _ROOMY[0] and height >= _ROOMY[1]:
        return Density.ROOMY
    return Density.NORMAL if width >= _NORMAL[0] and height >= _NORMAL[1] else Density.COMPACT


class _Shows(Protocol):
    """The app, which knows what there is to show."""

    def show_newest(self) -> None: ...


class DashboardScreen(Screen[None]):
    """A screen of the dashboard: `compose_body` makes its middle, `show_body` fills it."""

    SCOPE: ClassVar[Scope] = Scope.OVERVIEW
    """Whose actions are this screen's."""
    MARKS: ClassVar[bool] = False
    """Whether the devices that are marked on it are what operations are done to."""
    COMMANDS_THERE: ClassVar[bool] = True
    """Whether the commands that can be copied are for a shell on the machine that is shown."""

    _look = Look()
    _host = ""
    _wrong = Wrong()
    _shown_at: Size | None = None
    _has_come = False

    class ViewWanted(Message):
        """The size has changed: what is shown must be handed over again."""

    class OverlayWanted(Message):
        """A screen is to lie over this one until it is closed."""

        def __init__(self, overlay: Screen[None]) -> None:
            super().__init__()
            self.overlay = overlay

    class DeviceWanted(Message):
        """The operator moved to a device, or wants to see all about it.

        Attributes:
            name: its device-mapper name.
            opened: whether its own screen is wanted.
        """

        def __init__(self, name: str, opened: bool) -> None:
            super().__init__()
            self.name, self.opened = name, opened

    def compose(self) -> ComposeResult:
        """The top, the body, the keys."""
        yield Top()
        yield Panel(timeline_lines, id="timeline")
        yield from self.compose_body()
        yield KeyBar(id="keys")

    def compose_body(self) -> Iterable[Widget]:
        """The widgets between the top and the keys."""
        raise NotImplementedError

    def show_body(self, state: DashboardState) -> None:
        """Fill the body; panels paint only what differs from before."""
        raise NotImplementedError

    @property
    def device_key(self) -> str | None:
        """Name of the thin device under the cursor; None where the screen has none."""
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The registry decides, here as for the app; what is not allowed leaves its key to the app."""
        return cast("App[Any]", self.app).check_action(action, parameters)  # pyright: ignore[reportUnknownMemberType]

    def on_resize(self, event: Resize) -> None:
        """What is shown depends on the size."""
        if event.size != self._shown_at:
            self.post_message(self.ViewWanted())

    async def on_event(self, event: Event) -> None:
        """All of a new screen was styled a moment ago, as it was mounted: not once more as it comes to the top."""
        if isinstance(event, ScreenResume) and not self._has_come:
            self._has_come, event.refresh_styles = True, False
        await super().on_event(event)

    def on_screen_resume(self) -> None:
        """It is new, or lay unseen under another: shown before it is laid out and painted."""
        cast("_Shows", self.app).show_newest()  # pyright: ignore[reportUnknownMemberType]

    def action_explain(self) -> None:
        """Say what is wrong and what to do, what the figures of the focused panel mean, then those of the others."""
        from dmtui.tui.screens.explain import ExplainScreen  # noqa: PLC0415 - read when it is asked for

        focused = [self.focused.id] if self.focused is not None and self.focused.id else []
        others = [widget.id for widget in self.query(".box") if widget.id and widget.display]
        app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]
        lay_over(app, ExplainScreen((*focused, *others), self._look, self._wrong))

    def action_copy(self) -> None:
        """Copy a value: of the row under the cursor, or of what the panels show."""
        from dmtui.tui.screens.copy import CopyScreen  # noqa: PLC0415 - read when it is asked for

        app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]
        entries = tuple(dict.fromkeys(map(self._from_here, self.copied_entries())))
        if not entries:
            app.notify("there is nothing to copy", severity="warning", markup=False)
            return
        lay_over(app, CopyScreen(entries, self._look), lambda entry: entry and copy(app, entry.title, entry.text))

    def _from_here(self, entry: Entry) -> Entry:
        """A command for a host goes there through ssh: pasted into a shell here it would ask the wrong machine."""
        if entry.title != "command" or not self._host or not self.COMMANDS_THERE:
            return entry
        return entry._replace(text=shlex.join(["ssh", self._host, entry.text]))

    def copied_entries(self) -> Iterable[Entry]:
        """What can be copied: first what has the focus."""
        tables: list[LineTable[Any]] = [table for table in self.query(LineTable[Any]) if table.display]
        for table in sorted(tables, key=lambda table: not table.has_focus):
            if table.has_focus or len(tables) == 1:
                yield from table.copied_entries()
        for panel in self.query(Panel[Any]):
            if panel.has_class("box") and panel.display:
                yield from panel.copied_entries()

    @property
    def density(self) -> Density:
        """How much room there is at present."""
        return density_of(*self.app.size)  # pyright: ignore[reportUnknownMemberType] - before it is laid out, too

    def _compositor_refresh(self) -> None:
        """Under another screen, hand over once what of this one is to be drawn.

        Textual (8.2) marks it on this screen as well, where nothing ever takes the mark away: everything that has
        been drawn since the other came, at first the whole, would be drawn again with every change.
        """
        super()._compositor_refresh()
        if cast("App[Any]", self.app).screen is not self:  # pyright: ignore[reportUnknownMemberType]
            self._repaint_regions.clear()
            self._repaint_required = False

    def show(self, state: DashboardState) -> None:
        """Show a state."""
        self._host, self._wrong = state.top.host, state.wrong + state.left_behind
        fresh, self._look, self._shown_at = state.top.freshness, state.look, self.app.size  # pyright: ignore[reportUnknownMemberType]
        classes = {f"-{density.value}": density is state.look.density for density in Density}
        classes |= {"-stale": fresh.stale, "-paused": fresh.flow is Flow.PAUSED, "-empty": state.pool is None}
        self.update_classes(classes)  # all at once: each change of a class styles the whole screen anew
        self.query_one(Top).show(state.top, state.look)
        self.panel("timeline").display = fresh.position is not None
        if fresh.position is not None:
            self.panel("timeline").show(fresh, state.look)
        self.query_one(KeyBar).show(state.situation, state.look)
        self.show_body(state)

    def panel(self, name: str) -> Panel[Any]:
        """The panel of that id."""
        return cast("Panel[Any]", self.query_one(f"#{name}"))


def titled(text: str, look: Look) -> str:
    """A title for a frame: a rule has no corners that keep the title away from it."""
    return f" {text} " if look.density is Density.COMPACT else text


def boxed(widget: Widget) -> Widget:
    """The widget in a frame."""
    widget.add_class("box", update=False)  # it is styled when it is mounted
    return widget
