"""The bottom line: which keys do what at present, from the registry; a click does the same."""

from __future__ import annotations

from textual.events import Click
from textual.message import Message

from dmtui.tui.actions import ACTIONS, Action, Situation, allowed
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span, width_of
from dmtui.tui.widgets.panel import Panel


def footer_groups(situation: Situation) -> list[list[Action]]:
    """The actions of the footer that are allowed, those of one group together."""
    groups: dict[str, list[Action]] = {}
    for action in ACTIONS:
        if action.footer and allowed(action.id, situation):
            groups.setdefault(action.group or action.id, []).append(action)
    return list(groups.values())


def key_lines(situation: Situation, look: Look, width: int) -> list[Line]:
    """As many keys as fit; the ones at the end of the registry go first."""
    spans: list[Span] = [Span(" ")]
    for group in footer_groups(situation):
        title = group[0].group or group[0].title
        entry = [Span(" ".join(action.footer_key for action in group), "accent"), Span(f" {title}  ", "muted")]
        if width_of(spans) + width_of(entry) - 2 > width:
            break
        spans += entry
    return [tuple(spans)]


class KeyBar(Panel[Situation]):
    """Shows the keys."""

    DEFAULT_CSS = """
    KeyBar { height: 1; dock: bottom; }
    """

    class ActionWanted(Message):
        """The operator clicked on an action."""

        def __init__(self, action_id: str) -> None:
            super().__init__()
            self.action_id = action_id

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(key_lines, id=id)

    def on_click(self, event: Click) -> None:
        """Find what was clicked on."""
        if self.value is None:
            return
        left = 1
        for group in footer_groups(self.value):
            for action in group:
                key_width = len(action.footer_key) + 1
                last = action is group[-1]
                right = left + key_width + (len(action.group or action.title) + 2 if last else 0)
                if left <= event.x < right:
                    self.post_message(self.ActionWanted(action.id))
                    return
                left = right
