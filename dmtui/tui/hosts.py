"""The dashboard over other machines: one of them is shown, all are watched, and none is changed from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.events import Click
from textual.message import Message

from dmtui.monitor.alerts import Change
from dmtui.monitor.nextsteps import graph_of
from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample
from dmtui.monitor.severity import Severity
from dmtui.monitor.source import Source
from dmtui.remote.feed import Feed
from dmtui.remote.reach import Reach
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, Situation
from dmtui.tui.alarms import notice_of
from dmtui.tui.app import DashboardApp
from dmtui.tui.facts import Inquiry
from dmtui.tui.known import Known
from dmtui.tui.navigation import covered_screen, go
from dmtui.tui.owners import refusal
from dmtui.tui.screens.base import DashboardScreen
from dmtui.tui.screens.hosts import HostsScreen
from dmtui.tui.standing import Standing, elsewhere
from dmtui.tui.state import DashboardState
from dmtui.tui.stream import Stream

if TYPE_CHECKING:
    from dmtui.monitor.machinefacts import MachineFacts

_CLOSING_SECONDS = 1.5
_READING_SECONDS = 15.0
"""How long a command is shown that somebody may want to type."""
_CHANGING = ("operate", "reap")
"""Actions whose keys answer with what to type; they are offered nowhere."""

OpenSource = Callable[[Reach, Callable[[Sample | PollFailed], None]], Source]


class Arrived(Message):
    """Something came from a host; a newer one of the same host takes the place of one that has not been handled yet."""

    def __init__(self, watched: Watched, outcome: Sample | PollFailed) -> None:
        super().__init__()
        self.watched, self.outcome = watched, outcome

    def can_replace(self, message: Message) -> bool:
        """Only the newest of a host matters."""
        return isinstance(message, Arrived) and message.watched is self.watched


class Watched:
    """One host: how it is reached, its stream, and what is known of it."""

    def __init__(self, reach: Reach, stream: Stream, known: Known) -> None:
        self.reach, self.stream, self.known = reach, stream, known

    def standing(self, shown: bool) -> Standing:
        """How it stands with it."""
        sample, alerts = self.known.sample, self.known.memory.alerts.alerts
        unseen = notice_of(alerts, None)
        return Standing(
            self.reach.host,
            f"ssh -t {self.reach.typed().removeprefix('ssh ')}",
            self.stream.freshness,
            sample.machine_description if sample is not None else "",
            len(sample.pools) if sample is not None else None,
            alerts[0] if alerts else None,
            unseen.alert if unseen is not None else None,
            len(alerts),
            shown,
        )


class HostsApp(DashboardApp):
    """The dashboard over hosts.

    Args:
        reaches: how they are reached; the first is shown first.
        interval_seconds: between two samples of each.
        open_source: makes what the samples of a host come from; by default its dmtui over ssh.
        options: what the dashboard takes.
    """

    def __init__(
        self,
        reaches: Sequence[Reach],
        *,
        interval_seconds: float = 1.0,
        open_source: OpenSource | None = None,
        **options: Any,  # noqa: ANN401 - the dashboard's
    ) -> None:
        super().__init__(interval_seconds=None, read_only=True, ask_facts=self._known_facts, **options)
        self._feeds: list[Feed] = []
        opened = open_source or partial(self._feed, interval_seconds)
        self._watched = [self._watch(reach, opened, interval_seconds) for reach in reaches]
        self._shown = self._watched[0]
        self.stream, self.known = self._shown.stream, self._shown.known
        self._alarms.elsewhere = lambda: max(each.known.memory.alerts.worst for each in self._watched)

    @property
    def host(self) -> str:
        """The one that is shown."""
        return self._shown.reach.host

    def on_mount(self) -> None:
        """Connect to all of them; the dashboard itself does so to the one that is shown."""
        for watched in self._watched:
            watched.stream.start()

    def on_unmount(self) -> None:
        """Let all connections end."""
        self.hang_up()

    def hang_up(self) -> None:
        """End every ssh, and wait for that; what the system holds on to ends without us."""
        for watched in self._watched:
            watched.stream.stop()
        until = time.monotonic() + _CLOSING_SECONDS
        for feed in self._feeds:
            feed.close(max(0.0, until - time.monotonic()))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What would change something is answered, with what to type."""
        uncovered = covered_screen(self) is None
        return True if action in _CHANGING and uncovered else super().check_action(action, parameters)

    async def action_host(self, way: str) -> None:
        """Show the host ``before`` or the ``next``."""
        index = self._watched.index(self._shown) + (1 if way == "next" else -1)
        await self._show(self._watched[index % len(self._watched)])

    def action_operate(self, operation_id: str) -> None:
        """Say how it is done."""
        pool, sample = self.known.pool, self.known.sample
        screen = self.screen if isinstance(self.screen, DashboardScreen) else None
        key = (screen.device_key if screen else None) or self.known.device_name
        device = next((each for each in (pool.devices if pool else ()) if each.name == key), None)
        recorded = next((each for each in (pool.recorded if pool else None) or () if each.name == key), None)
        named = device or recorded
        name = named.display_name if named is not None else "NAME"
        thing, verb = operation_id.split()
        if pool is not None and pool.owner != "dmtui":
            self._say(refusal(operation_id.replace(" ", "_"), pool, device))
            return
        words = [thing, verb] if thing == "pool" else [thing, verb, name]
        if operation_id == "device create":
            words = [thing, verb, "NAME", *(["--parent", name] if named is not None else [])]
        reach, graph = self._shown.reach, graph_of(pool) if pool is not None else ""
        told = sample is None or sample.machine == "emulated" or any("--graph" in each for each in reach.options)
        known = [] if told or not graph else ["--graph", graph]
        self._say(f"`{reach.typed(*known, *words)}` does it there")

    def action_reap(self) -> None:
        """Say how it is done."""
        self.action_operate("pool reap")

    async def on_hosts_screen_host_wanted(self, message: HostsScreen.HostWanted) -> None:
        """The operator chose a host: show it."""
        await self._show(self._watch_of(message.host), Scope.OVERVIEW)

    def on_hosts_screen_host_tried(self, message: HostsScreen.HostTried) -> None:
        """The operator does not wait for the next try."""
        self._watch_of(message.host).stream.poll()

    async def on_click(self, event: Click) -> None:
        """The line at the top leads to the hosts."""
        if event.widget is not None and event.widget.id == "header" and covered_screen(self) is None:
            await self.action_go(Scope.HOSTS.value)

    def on_arrived(self, message: Arrived) -> None:
        """A sample or a failure of a host."""
        watched, outcome = message.watched, message.outcome
        if watched is self._shown:
            self.feed(outcome)
            return
        changes = watched.known.take_in(outcome)
        if isinstance(outcome, Sample):
            self._tell_of_other(watched, changes)
            watched.known.keep_selection(outcome)
        if changes or isinstance(outcome, PollFailed) or isinstance(self.screen, HostsScreen):
            self.show_newest()

    def _tell_of_other(self, watched: Watched, changes: tuple[Change, ...]) -> None:
        """Of a machine that is not looked at what is CRIT is told: the line at the top and the list have the rest."""
        loud = tuple(change for change in changes if change.alert.severity is Severity.CRIT)
        self._alarms.tell(self, loud, Severity.INFO, self._look.glyphs, watched.reach.host)

    @property
    def _situation(self) -> Situation:
        return replace(super()._situation, hosts=len(self._watched))

    def _state(self, screen: DashboardScreen) -> DashboardState:
        state = super()._state(screen)
        standings = tuple(each.standing(each is self._shown) for each in self._watched)
        top = replace(state.top, host=self.host, elsewhere=elsewhere(standings))
        log = f"it stays on {self.host}: `{standings[self._watched.index(self._shown)].shell}` shows it"
        return replace(state, top=top, hosts=standings, log_problem=log)

    async def _show(self, watched: Watched, scope: Scope | None = None) -> None:
        """Show another host, on the same screen unless that is another one's device."""
        self._keep_choices()
        scope = scope or self._situation.screen
        if watched is not self._shown:
            self._shown = watched
            self.stream, self.known = watched.stream, watched.known
            self._inquiry = Inquiry(self._known_facts, self.post_message, self._clock)
        classes = "-ascii" if self._ascii else ""
        # Made anew: what a screen remembers of the host before is none of this one's.
        await go(self, Scope.OVERVIEW, classes)
        if scope is not Scope.DEVICE:
            await go(self, scope, classes)
        self._refresh_actions()

    def _watch_of(self, host: str) -> Watched:
        return next(each for each in self._watched if each.reach.host == host)

    def _watch(self, reach: Reach, open_source: OpenSource, interval_seconds: float) -> Watched:
        def deliver(outcome: Sample | PollFailed) -> None:
            if self.is_running:
                self.post_message(Arrived(watched, outcome))

        stream = Stream(None, deliver, interval_seconds, self._clock, source=partial(open_source, reach))
        known = Known(stream, self._look.thresholds, self.known.choices, None)
        watched = Watched(reach, stream, known)
        return watched

    def _feed(self, interval_seconds: float, reach: Reach, deliver: Callable[[Sample | PollFailed], None]) -> Source:
        feed = Feed(reach, deliver, interval_seconds, self._clock)
        self._feeds.append(feed)
        return feed

    def _known_facts(self) -> MachineFacts:
        """What the samples of the shown host tell of its machine: nobody asks it for more."""
        from dmtui.monitor.secondhand import facts_of_host  # noqa: PLC0415 - with the screen of the machine

        shown = self._shown
        shell, sample = shown.standing(True).shell, shown.known.sample
        if sample is None:
            raise DmtuiError(f"host {self.host}", "has sent nothing yet", f"`{shell}` shows what it knows")
        return facts_of_host(self.host, shown.reach.typed("watch", "--format", "json"), shell, sample)

    def _say(self, text: str) -> None:
        title = f"{self.host} is only watched from here"
        self.notify(printable(text), title=title, severity="warning", markup=False, timeout=_READING_SECONDS)
