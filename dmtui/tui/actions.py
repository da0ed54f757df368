"""The one registry of actions: keys, footer, palette, help and what is allowed all come from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from textual.binding import Binding, BindingType


class Scope(Enum):
    """Where an action lives."""

    APP = "everywhere"
    OVERVIEW = "pools"
    TABLE = "in a table"


class Risk(IntEnum):
    """What an action may do; everything above ``LOOK`` is refused when the dashboard is read-only."""

    LOOK = 0
    REVERSIBLE = 1
    CREATES = 2
    DESTROYS = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether an action is allowed."""

    read_only: bool = False
    paused: bool = False
    polling: bool = True
    has_pools: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something the operator can do.

    Attributes:
        id: its name in the program: ``action_<id>`` on the app, screen or table that it lives in.
        scope: where it lives.
        keys: in Textual's names; empty where Textual binds them itself.
        shown_key: how they are written on the screen, the one for the footer first.
        title: for footer and palette.
        help: a sentence for the help screen.
        group: actions of one group share a place in the footer.
        footer: whether the footer shows it.
        palette: whether the palette offers it.
    """

    id: str
    scope: Scope
    keys: tuple[str, ...]
    shown_key: str
    title: str
    help: str
    group: str = ""
    risk: Risk = Risk.LOOK
    footer: bool = True
    palette: bool = True

    @property
    def footer_key(self) -> str:
        """The key that the footer shows."""
        return self.shown_key.split()[0]


def _move(name: str, scope: Scope, keys: tuple[str, ...], shown_key: str, text: str) -> Action:
    return Action(name, scope, keys, shown_key, text.rstrip("."), text, footer=False, palette=False)


_PACE = "Pace"
ACTIONS: tuple[Action, ...] = (
    Action(
        "quit", Scope.APP, ("q", "ctrl+q", "ctrl+c"), "q ctrl+q", "Quit", "Leave at once, also while the machine hangs."
    ),
    Action("help", Scope.APP, ("question_mark", "f1"), "? f1", "Help", "Keys, and what each figure means."),
    Action(
        "pause", Scope.APP, ("p", "space"), "p space", "Pause", "Stop asking the machine; the figures stay and age."
    ),
    Action("resume", Scope.APP, ("p", "space"), "p space", "Resume", "Ask the machine again, at once."),
    Action("poll", Scope.APP, ("r",), "r", "Poll", "Ask once now, also while paused."),
    Action(
        "slower", Scope.APP, ("less_than_sign", "minus"), "< -", "Slower", "Poll less often, up to every 60 s.", _PACE
    ),
    Action(
        "faster", Scope.APP, ("greater_than_sign", "plus"), "> +", "Faster", "Poll more often, down to 0.1 s.", _PACE
    ),
    Action("filter", Scope.OVERVIEW, ("slash",), "/", "Filter", "Show only devices that contain a text."),
    Action("unfilter", Scope.OVERVIEW, ("escape",), "esc", "No filter", "Show all devices again.", footer=False),
    Action("sort", Scope.OVERVIEW, ("s",), "s", "Sort", "Order by the next column; a click on its header does it too."),
    Action("units", Scope.APP, ("b",), "b", "Units", "Sizes in decimal (65.54 kB) or binary (64 KiB) units."),
    Action("palette", Scope.APP, (), "^p", "Palette", "Find an action or a theme by its name.", palette=False),
    _move("next_panel", Scope.OVERVIEW, ("tab", "l", "right"), "tab l", "To the next panel."),
    _move("previous_panel", Scope.OVERVIEW, ("shift+tab", "h", "left"), "S-tab h", "To the panel before."),
    _move("cursor_up", Scope.TABLE, ("up", "k"), "up k", "One row up."),
    _move("cursor_down", Scope.TABLE, ("down", "j"), "down j", "One row down."),
    _move("page_up", Scope.TABLE, ("pageup", "ctrl+b"), "PgUp", "One page up."),
    _move("page_down", Scope.TABLE, ("pagedown", "ctrl+f"), "PgDn", "One page down."),
    _move("first", Scope.TABLE, ("home", "g"), "home g", "To the first row."),
    _move("last", Scope.TABLE, ("end", "G"), "end G", "To the last row."),
    _move("choose", Scope.TABLE, ("enter",), "enter", "From a pool to its devices."),
)
_BY_ID = {action.id: action for action in ACTIONS}


def bindings(scope: Scope) -> list[BindingType]:
    """The key bindings of a scope, each with an id by which a keymap can change it."""
    return [
        Binding(key, action.id, action.title, show=False, id=f"{action.id}.{number}" if number else action.id)
        for action in ACTIONS
        if action.scope is scope
        for number, key in enumerate(action.keys)
    ]


def scope_of(action_id: str) -> Scope:
    """Where an action of the registry lives."""
    return _BY_ID[action_id].scope


def allowed(action_id: str, situation: Situation) -> bool | None:
    """Whether an action can be done now: False hides it; an action that is not in the registry is always allowed."""
    action = _BY_ID.get(action_id)
    if action is None:
        return True
    if situation.read_only and action.risk is not Risk.LOOK:
        return False
    return {
        "pause": situation.polling and not situation.paused,
        "resume": situation.polling and situation.paused,
        "filter": situation.has_pools,
        "sort": situation.has_pools,
    }.get(action_id, True)
