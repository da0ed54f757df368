"""The bottom line: which keys do what at present, from the registry; a click does the same."""

from __future__ import annotations

from textual.events import Click
from textual.message import Message

from dmtui.tui.actions import ACTIONS, Action, Scope, Situation, allowed
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span
from dmtui.tui.widgets.panel import Panel

_GAP = 2
_FEW = 2
_BY_IMPORTANCE = (
    "help", "show_host", "try_host", "go_hosts", "Host", "Step", "demo_hold", "demo_play", "filter", "filter_devices",
    "filter_events", "mark", "tree", "Span", "severity", "ask_again", "Device", "stop_reaping", "back", "quit",
    "Screens", "acknowledge", "sort", "sort_devices", "sort_events", "sort_hosts", "one_pool", "resume", "Pool",
    "pause", "Speed", "demo_restart", "Leap", "Ends", "mark_shown", "unmark", "poll", "Pace", "units", "palette",
)  # fmt: skip
"""Actions and groups of the footer: where there is little room, those at the end go first."""


def footer_groups(situation: Situation) -> list[list[Action]]:
    """The actions of the footer that are allowed, those of one group together, the most important first."""
    groups: dict[str, list[Action]] = {}
    for action in ACTIONS:
        of_screen = action.scope in (Scope.APP, Scope.TABLE, situation.screen)
        if of_screen and action.footer and allowed(action.id, situation):
            groups.setdefault(action.group or action.id, []).append(action)
    places = {name: place for place, name in enumerate(_BY_IMPORTANCE)}
    return sorted(groups.values(), key=lambda group: places.get(group[0].group or group[0].id, len(places)))


def key_lines(situation: Situation, look: Look, width: int) -> list[Line]:
    """As many keys as fit, whole ones; the least important go first."""
    spans: list[Span] = [Span(" ")]
    for group in fitting_groups(situation, width):
        title = group[0].group or group[0].title
        spans += [Span(" ".join(_keys(group)), "accent"), Span(f" {title}  ", "muted")]
    return [tuple(spans)]


def fitting_groups(situation: Situation, width: int) -> list[list[Action]]:
    """The groups for which there is room; a small one may take the place of a large one."""
    fitting: list[list[Action]] = []
    left = width - 1 + _GAP
    for group in footer_groups(situation):
        if _width(group) <= left:
            fitting.append(group)
            left -= _width(group)
    return fitting


def _keys(group: list[Action]) -> list[str]:
    """The keys of a group; figures in a row as from the first to the last."""
    keys = [action.footer_key for action in group]
    return [f"{keys[0]}-{keys[-1]}"] if _is_row(group) else keys


def _is_row(group: list[Action]) -> bool:
    return len(group) > _FEW and all(action.footer_key.isdecimal() for action in group)


def _width(group: list[Action]) -> int:
    return sum(len(key) + 1 for key in _keys(group)) + len(group[0].group or group[0].title) + _GAP


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

    def show(self, value: Situation, look: Look) -> None:
        """Show the keys of a situation; nearly every poll leaves it as it was."""
        if value != self.value or look != self._look or self._painted_width <= 0:
            super().show(value, look)

    def on_click(self, event: Click) -> None:
        """Find what was clicked on."""
        if self.value is None:
            return
        left = 1
        for group in fitting_groups(self.value, self.content_size.width):
            # Which of a row is meant nobody can tell: the palette offers them all.
            wanted = ["palette"] if _is_row(group) else [action.id for action in group]
            for action_id, key in zip(wanted, _keys(group), strict=True):
                right = left + len(key) + 1
                if action_id == wanted[-1]:
                    right += len(group[0].group or group[0].title) + _GAP
                if left <= event.x < right:
                    self.post_message(self.ActionWanted(action_id))
                    return
                left = right
