"""The one registry of actions: keys, footer, palette, help and what is allowed all come from here."""

from __future__ import annotations

from enum import Enum, IntEnum

from textual.binding import Binding, BindingType

from dmtui.thinpool.values import frozen


class Scope(Enum):
    """Where an action lives."""

    APP = "everywhere"
    OVERVIEW = "overview"
    POOL = "pool"
    DEVICES = "devices"
    DEVICE = "device"
    EVENTS = "events"
    OPERATIONS = "operations"
    MACHINE = "machine"
    HOSTS = "hosts"
    TABLE = "in a table"


class Risk(IntEnum):
    """What an action may do; everything above ``LOOK`` is refused when the dashboard is read-only."""

    LOOK = 0
    REVERSIBLE = 1
    CREATES = 2
    DESTROYS = 3


@frozen
class Situation:
    """What decides whether an action is allowed.

    Attributes:
        unseen: there are alerts to acknowledge.
        demonstrates: a demonstration is shown; `plays`: it goes on by itself.
        hosts: how many machines are watched over ssh; 0 where this one is.
    """

    read_only: bool = False
    paused: bool = False
    polling: bool = True
    has_pools: bool = False
    can_reap: bool = False
    reaping: bool = False
    screen: Scope = Scope.OVERVIEW
    unseen: bool = False
    replays: bool = False
    demonstrates: bool = False
    plays: bool = False
    hosts: int = 0


_OF_SCREEN = ("explain", "copy")
"""Actions that every screen has for itself."""
_MARKS = ("mark", "mark_shown", "unmark", "mark_down", "mark_up")
"""Marking is for what changes something."""
_FROM_ANYWHERE = ("ctrl+q", "ctrl+p")
"""Keys that work in every field, too."""
_WITH_PARAMETER = ("go", "seek", "demo", "host")
"""Actions ``<verb>_<parameter>`` are one ``action_<verb>`` with a parameter."""


@frozen
class Action:
    """Something the operator can do.

    Attributes:
        id: its name in the program: ``action_<id>`` on the app, screen or table that it lives in; ``go_<scope>`` and
            ``seek_<way>``, ``demo_<way>`` and ``host_<way>`` are ``action_go``, ``action_seek``, ``action_demo`` and
            ``action_host`` of the app.
        scope: where it lives.
        keys: in Textual's names; empty where a widget has them.
        shown_key: how they are written on the screen, the one for the footer first.
        title: for footer and palette.
        help: a sentence for the help screen.
        group: actions of one group share a place in the footer.
        footer: whether the footer shows it.
        palette: whether the palette offers it.
        operation: the engine's word for it, ``device create`` say, where it opens the dialog of an operation.
        only: where alone it is possible, "In a recording" say; empty where that is not worth a heading in the help.
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
    operation: str = ""
    only: str = ""

    @property
    def footer_key(self) -> str:
        """The key that the footer shows."""
        return self.shown_key.split()[0]

    @property
    def call(self) -> str:
        """The action as Textual runs it."""
        if self.operation:
            return f"operate({self.operation!r})"
        if self.id in _OF_SCREEN:
            return f"screen.{self.id}"
        for verb in _WITH_PARAMETER:
            if self.id.startswith(f"{verb}_"):
                return f"{verb}({self.id.removeprefix(f'{verb}_')!r})"
        return "command_palette" if self.id == "palette" else self.id


def _move(name: str, scope: Scope, keys: tuple[str, ...], shown_key: str, text: str) -> Action:
    return Action(name, scope, keys, shown_key, text.rstrip("."), text, footer=False, palette=False)


def _go(name: str, key: str, screen: Scope, text: str) -> Action:
    return Action(name, Scope.APP, (key,), key, screen.value.capitalize(), text, "Screens")


def _change(operation: str, key: str, title: str, text: str, risk: Risk) -> Action:
    name, group = operation.replace(" ", "_"), operation.split(maxsplit=1)[0].capitalize()
    return Action(name, Scope.APP, (key,), key, title, text, group, risk, operation=operation)


_CHANGES = (
    _change("device create", "n", "Create a device", "A snapshot of a device, or of the base.", Risk.CREATES),
    _change("device activate", "a", "Activate", "Make a device's node.", Risk.REVERSIBLE),
    _change("device deactivate", "d", "Deactivate", "Remove a device's node; its data stay.", Risk.REVERSIBLE),
    _change("device mount", "m", "Mount", "Mount a device below the graph directory.", Risk.REVERSIBLE),
    _change("device unmount", "u", "Unmount", "End one use of a mounted device.", Risk.REVERSIBLE),
    _change("device remove", "x", "Remove", "Delete a device and all its data.", Risk.DESTROYS),
    _change("pool create", "P", "Create or activate the pool", "Make it, or activate it over its files.", Risk.CREATES),
    _change("pool extend", "E", "Extend the pool", "More data or metadata space, in use.", Risk.CREATES),
    _change("pool trim", "T", "Trim", "Give back what mounted file systems have free.", Risk.REVERSIBLE),
    _change("pool check", "C", "Check the metadata", "thin_check, also of a pool in use.", Risk.REVERSIBLE),
    _change("pool reap", "W", "Reap once", "Try now what was busy when it was removed.", Risk.DESTROYS),
    _change("pool remove", "X", "Take the pool down", "Deactivate everything; files and data stay.", Risk.REVERSIBLE),
)
_DEVICE_SCREENS = (Scope.OVERVIEW, Scope.DEVICES, Scope.DEVICE, Scope.OPERATIONS)

SCREENS: tuple[tuple[str, str, Scope, str], ...] = (
    ("go_overview", "1", Scope.OVERVIEW, "All pools of the machine, worst first."),
    ("go_pool", "2", Scope.POOL, "Everything about the selected pool: gauges, history, forecast, alerts."),
    ("go_devices", "3", Scope.DEVICES, "All devices of the selected pool, active or recorded; as a table or a tree."),
    ("go_events", "4", Scope.EVENTS, "The alerts that are on, and what happened: kernel, alerts, operations."),
    ("go_operations", "5", Scope.OPERATIONS, "The operation under way with its steps, and those of the past."),
    ("go_machine", "6", Scope.MACHINE, "Versions, programs and what is missing, loop devices, graph directory."),
)
"""The screens, with the actions and keys that lead to them; the screen of one device is reached from a table."""

IN_A_RECORDING, IN_A_DEMONSTRATION, OVER_HOSTS = "In a recording", "In a demonstration", "With --host"
_PACE = "Pace"
_STEP, _LEAP, _ENDS = "Step", "Leap", "Ends"


def _seek(way: str, key: tuple[str, str], title: str, text: str, group: str) -> Action:
    return Action(f"seek_{way}", Scope.APP, key[:1], key[1], title, text, group, only=IN_A_RECORDING)


_SEEKS = (
    _seek("back", ("comma", ","), "Step back", "One sample back.", _STEP),
    _seek("on", ("full_stop", "."), "Step on", "One sample on.", _STEP),
    _seek("far_back", ("left_curly_bracket", "{"), "Leap back", "A twentieth of it back.", _LEAP),
    _seek("far_on", ("right_curly_bracket", "}"), "Leap on", "A twentieth of it on.", _LEAP),
    _seek("begin", ("left_parenthesis", "("), "First sample", "To its first sample.", _ENDS),
    _seek("end", ("right_parenthesis", ")"), "Last sample", "To its last sample.", _ENDS),
)


def _demo(
    way: str, key: tuple[tuple[str, ...], str], title: str, text: str, group: str = "", *, footer: bool = True
) -> Action:
    return Action(f"demo_{way}", Scope.APP, *key, title, text, group, footer=footer, only=IN_A_DEMONSTRATION)


def _of_hosts(name: str, key: str, title: str, text: str, group: str = "") -> Action:
    return Action(name, Scope.APP, (key,), key, title, text, group, only=OVER_HOSTS)


_DEMOS = (
    _demo("hold", (("p", "space"), "p space"), "Hold", "Go on only when told to."),
    _demo("play", (("p", "space"), "p space"), "Play", "Go on by itself; at the end, from the start."),
    _demo("back", (("comma",), ","), "Step back", "The machine as it was before the step.", _STEP),
    _demo("on", (("full_stop",), "."), "Step on", "The next step, or this one without pauses.", _STEP),
    _demo("slower", (("left_curly_bracket",), "{"), "Slower story", "Less fast.", "Speed"),
    _demo("faster", (("right_curly_bracket",), "}"), "Faster story", "Faster.", "Speed"),
    _demo("more", (("semicolon",), ";"), "Whole text", "All that it tells, with every command.", footer=False),
    _demo("restart", (("left_parenthesis",), "("), "From the start", "Once more, on the machine as it was."),
)
_SPAN, _HOST = "Span", "Host"
ACTIONS: tuple[Action, ...] = (
    Action(
        "quit",
        Scope.APP,
        ("q", "ctrl+q", "ctrl+c"),
        "q ctrl+q",
        "Quit",
        "Leave at once, also while the machine hangs; asks while an operation is under way.",
    ),
    Action("help", Scope.APP, ("question_mark", "f1"), "? f1", "Help", "Keys, and what each figure means."),
    *_DEMOS,
    Action(
        "pause",
        Scope.APP,
        ("p", "space"),
        "p space",
        "Pause",
        "Stop asking the machine; space too, where it does not mark.",
    ),
    Action("resume", Scope.APP, ("p", "space"), "p space", "Resume", "Ask the machine again, at once."),
    Action("poll", Scope.APP, ("r",), "r", "Poll", "Ask once now, also while paused."),
    *_SEEKS,
    Action("acknowledge", Scope.APP, ("A",), "A", "Acknowledge", "The alerts of the selected pool are seen."),
    Action(
        "slower", Scope.APP, ("less_than_sign", "minus"), "< -", "Slower", "Poll less often, up to every 60 s.", _PACE
    ),
    Action(
        "faster", Scope.APP, ("greater_than_sign", "plus"), "> +", "Faster", "Poll more often, down to 0.1 s.", _PACE
    ),
    Action("filter", Scope.OVERVIEW, ("slash",), "/", "Filter", "Show only devices that contain a text."),
    Action("unfilter", Scope.OVERVIEW, ("escape",), "esc", "No filter", "Show all devices again.", footer=False),
    Action("sort", Scope.OVERVIEW, ("s",), "s", "Sort", "Order by the next column; a click on its header does it too."),
    Action("back", Scope.APP, ("escape",), "esc", "Back", "To the screen before.", palette=False),
    Action(
        "shorter_span", Scope.POOL, ("left_square_bracket",), "[", "Shorter", "Less; below 1 min: as it grows.", _SPAN
    ),
    Action("longer_span", Scope.POOL, ("right_square_bracket",), "]", "Longer", "Show more of it: up to 7 d.", _SPAN),
    Action("filter_devices", Scope.DEVICES, ("slash",), "/", "Filter", "Show only devices that contain a text."),
    Action(
        "unfilter_devices", Scope.DEVICES, ("escape",), "esc", "No filter", "Show all again, or go back.", footer=False
    ),
    Action("sort_devices", Scope.DEVICES, ("s",), "s", "Sort", "Order by the next column, as a table."),
    Action(
        "mark", Scope.DEVICES, ("space",), "space", "Mark", "Mark the device, or unmark it: what changes, changes all."
    ),
    Action("mark_shown", Scope.DEVICES, ("asterisk",), "*", "Mark all", "Mark all that are shown, or unmark them."),
    Action("unmark", Scope.DEVICES, ("backslash",), "\\", "Unmark all", "Unmark all, also those that are not shown."),
    _move(
        "mark_down", Scope.DEVICES, ("shift+down", "J"), "S-down J", "Mark it and the one below; S-click: all between."
    ),
    _move("mark_up", Scope.DEVICES, ("shift+up", "K"), "S-up K", "Mark it and the one above."),
    Action("tree", Scope.DEVICES, ("t",), "t", "Tree", "Show devices below their parents, or as a table again."),
    Action("filter_events", Scope.EVENTS, ("slash",), "/", "Filter", "Show only events that contain a text."),
    Action("unfilter_events", Scope.EVENTS, ("escape",), "esc", "No filter", "Show all, or go back.", footer=False),
    Action("severity", Scope.EVENTS, ("v",), "v", "How bad", "Show all events, WARN and CRIT, or CRIT only."),
    Action("one_pool", Scope.EVENTS, ("o",), "o", "One pool", "Only what concerns the selected pool, or everything."),
    Action("sort_events", Scope.EVENTS, ("s",), "s", "Sort", "Order the focused table by its next column."),
    Action("ask_again", Scope.MACHINE, ("R",), "R", "Ask again", "Ask the machine anew for versions and programs."),
    Action("explain", Scope.APP, ("i",), "i", "What is this", "What the focused panel's figures mean.", footer=False),
    Action("copy", Scope.APP, ("y",), "y", "Copy", "A value of the row or the panels, or a command.", footer=False),
    Action("units", Scope.APP, ("b",), "b", "Units", "Sizes in decimal (65.54 kB) or binary (64 KiB) units."),
    Action("silence", Scope.APP, ("B",), "B", "Bell", "Whether a new CRIT rings the terminal's bell.", footer=False),
    Action("colours", Scope.APP, ("c",), "c", "Colours", "The next theme.", footer=False),
    Action(
        "reap",
        Scope.APP,
        ("w",),
        "w",
        "Reap",
        "Delete the devices that were busy when they were removed, now and every 30 s while the dashboard runs.",
        risk=Risk.DESTROYS,
        footer=False,
    ),
    Action(
        "stop_reaping",
        Scope.APP,
        ("w",),
        "w",
        "Stop reaping",
        "Leave what waits for its deletion until somebody asks again.",
    ),
    *(_go(*screen) for screen in SCREENS),
    _of_hosts("go_hosts", "7", "Hosts", "How it stands with each; enter shows it."),
    _of_hosts("host_before", "H", "Host before", "The machine named before.", _HOST),
    _of_hosts("host_next", "L", "Next host", "The machine named next.", _HOST),
    Action("show_host", Scope.HOSTS, (), "enter", "Show", "Show the host under the cursor on the other screens."),
    Action("try_host", Scope.HOSTS, ("r",), "r", "Try now", "Connect anew to the host under the cursor, at once."),
    Action("sort_hosts", Scope.HOSTS, ("s",), "s", "Sort", "Order by the next column."),
    *_CHANGES,
    Action(
        "palette",
        Scope.APP,
        ("ctrl+p", "colon"),
        "^p :",
        "Palette",
        "Find an action or a theme by its name.",
        palette=False,
    ),
    _move("next_panel", Scope.OVERVIEW, ("tab", "l", "right"), "tab l", "To the next panel."),
    _move("previous_panel", Scope.OVERVIEW, ("shift+tab", "h", "left"), "S-tab h", "To the panel before."),
    _move("cursor_up", Scope.TABLE, ("up", "k"), "up k", "One row up."),
    _move("cursor_down", Scope.TABLE, ("down", "j"), "down j", "One row down."),
    _move("page_up", Scope.TABLE, ("pageup", "ctrl+b"), "PgUp", "One page up."),
    _move("page_down", Scope.TABLE, ("pagedown", "ctrl+f"), "PgDn", "One page down."),
    _move("first", Scope.TABLE, ("home", "g"), "home g", "To the first row."),
    _move("last", Scope.TABLE, ("end", "G"), "end G", "To the last row."),
    _move(
        "choose",
        Scope.TABLE,
        ("enter",),
        "enter",
        "From a pool to its devices, from a device to all about it, from a host to its pools.",
    ),
)
_BY_ID = {action.id: action for action in ACTIONS}


def bindings(scope: Scope) -> list[BindingType]:
    """The key bindings of a scope, each with an id by which a keymap can change it."""
    return [
        Binding(
            key,
            action.call,
            action.title,
            show=False,
            id=f"{action.id}.{number}" if number else action.id,
            priority=key in _FROM_ANYWHERE,
        )
        for action in ACTIONS
        if action.scope is scope
        for number, key in enumerate(action.keys)
    ]


def scope_of(action_id: str) -> Scope:
    """Where an action of the registry lives."""
    return _BY_ID[action_id].scope


def key_of(action_id: str) -> str:
    """The key of an action of the registry, as the screen shows it."""
    return _BY_ID[action_id].footer_key


def bound(action: str) -> bool:
    """Whether an action, as Textual runs it, has keys everywhere."""
    return any(each.scope is Scope.APP and each.call.partition("(")[0] == action for each in ACTIONS)


def offered(situation: Situation) -> list[Action]:
    """What the palette offers: what is possible everywhere and on the screen that is shown."""
    here = (Scope.APP, situation.screen)
    return [action for action in ACTIONS if action.palette and action.scope in here and allowed(action.id, situation)]


def call_of(action_id: str) -> str:
    """An action of the registry as Textual runs it."""
    return _BY_ID[action_id].call


def called(action: str, parameters: tuple[object, ...]) -> str:
    """Id in the registry of an action as Textual runs it."""
    if action == "operate":
        return str(parameters[0]).replace(" ", "_")
    return f"{action}_{parameters[0]}" if action in _WITH_PARAMETER else action


def allowed(action_id: str, situation: Situation) -> bool | None:
    """Whether an action can be done now: False hides it; an action that is not in the registry is always allowed."""
    action = _BY_ID.get(action_id)
    if action is None:
        return True
    if situation.read_only and action.risk is not Risk.LOOK:
        return False
    if action.operation:
        in_place = situation.screen in _DEVICE_SCREENS or not action.operation.startswith("device ")
        return situation.can_reap and in_place
    return {
        "back": situation.screen is not Scope.OVERVIEW,
        "pause": situation.polling and not situation.paused and not situation.demonstrates,
        "resume": situation.polling and situation.paused,
        "reap": situation.can_reap and not situation.reaping,
        "stop_reaping": situation.reaping,
        "acknowledge": situation.unseen,
        "poll": situation.screen is not Scope.HOSTS,
        "ask_again": not situation.replays and not situation.hosts,
        "go_hosts": situation.hosts > 0 and situation.screen is not Scope.HOSTS,
        "host_before": situation.hosts > 1,
        "host_next": situation.hosts > 1,
        "filter": situation.has_pools,
        "sort": situation.has_pools,
        **{action.id: situation.replays for action in _SEEKS},
        **{action.id: situation.demonstrates for action in _DEMOS},
        "demo_hold": situation.demonstrates and situation.plays,
        "demo_play": situation.demonstrates and not situation.plays,
        **dict.fromkeys(_MARKS, situation.can_reap and not situation.read_only),
        **{name: situation.screen is not scope for name, _, scope, _ in SCREENS},
    }.get(action_id, True)
