"""From roles to the styles of the stylesheet, and from lines to strips.

The app holds the roles' component classes, once for all screens and widgets: a stylesheet is applied to each component
of each widget and screen, and a score of roles on each would double the time that a screen takes to open.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.strip import Strip
from textual.widget import Widget

from dmtui.tui.lines import ROLES, Line

ROLE_CLASSES = {f"role--{role}" for role in ROLES}
"""What an app with our widgets has among its ``COMPONENT_CLASSES``."""


class Roles:
    """The styles of the roles in an app; each is asked for once, until the stylesheet is applied to the app again."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._styles: dict[str, Style] = {}

    def style(self, role: str) -> Style:
        """What the role lays over the style of a widget: a background only where it has one of its own."""
        known = self._styles.get(role)
        if known is None:
            style = self._app.get_component_styles(f"role--{role}").rich_style
            if style.bgcolor == self._app.rich_style.bgcolor:
                style = Style(color=style.color, bold=style.bold, dim=style.dim, reverse=style.reverse)
            known = self._styles[role] = style
        return known

    def forget(self) -> None:
        """Ask again: the stylesheet was applied."""
        self._styles.clear()


class _HasRoles(Protocol):
    """An app with our widgets."""

    roles: Roles


def strip_of(widget: Widget, spans: Line, width: int, over: Style | None = None) -> Strip:
    """A line of exactly that many cells; `over` is laid over every role, for a cursor."""
    base = widget.visual_style.rich_style
    roles = cast("_HasRoles", widget.app).roles  # pyright: ignore[reportUnknownMemberType]
    styles = {role: base + roles.style(role) for role in {span.role for span in spans}}
    if over is not None:
        base = base + over
        styles = {role: style + over for role, style in styles.items()}
    return Strip([Segment(span.text, styles[span.role]) for span in spans]).adjust_cell_length(width, base)
