"""From roles to the styles of the stylesheet, and from lines to strips.

The screen holds the roles' component classes, once for all its widgets: the stylesheet is applied to each component
of each widget, and a score of roles on a dozen widgets would double the start-up time.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from dmtui.tui.lines import ROLES, Line

ROLE_CLASSES = {f"role--{role}" for role in ROLES}
"""What a screen with our widgets has among its ``COMPONENT_CLASSES``."""


def role_style(widget: Widget, role: str, base: Style) -> Style:
    """The style of a role on the widget's own background, unless the role brings one."""
    screen = widget.screen
    style = screen.get_component_rich_style(f"role--{role}")
    if style.bgcolor != screen.visual_style.rich_style.bgcolor:
        return base + style
    return base + Style(color=style.color, bold=style.bold, dim=style.dim, reverse=style.reverse)


def strip_of(widget: Widget, spans: Line, width: int, over: Style | None = None) -> Strip:
    """A line of exactly that many cells; `over` is laid over every role, for a cursor."""
    base = widget.visual_style.rich_style
    styles = {role: role_style(widget, role, base) for role in {span.role for span in spans}}
    if over is not None:
        base = base + over
        styles = {role: style + over for role, style in styles.items()}
    return Strip([Segment(span.text, styles[span.role]) for span in spans]).adjust_cell_length(width, base)
