"""What the command line does with ``--host``: it watches other machines over ssh, and says who changes them."""

from __future__ import annotations

import argparse
import os
import queue
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from dmtui.browser.attached import end_with_server, is_attached
from dmtui.cli.closing import tidied
from dmtui.cli.parser import CommandAt
from dmtui.cli.reading import check_count, need_terminal, nothing_collected
from dmtui.cli.recordings import kept
from dmtui.cli.session import Session
from dmtui.monitor.poller import PollFailed
from dmtui.monitor.sample import Sample
from dmtui.remote.feed import Feed
from dmtui.remote.reach import Reach, in_both_shells
from dmtui.thinpool.errors import BadUsageError, ExitStatus
from dmtui.thinpool.text import printable

Command = Callable[[Session, argparse.Namespace], int]
_CLOSING_SECONDS = 1.0
_NO_WORDS = ("--host", "--remote-command")
"""Options that mean nothing there."""


def from_afar(command: Command, session: Session, words: Sequence[str]) -> Command:
    """What does on other machines what a command does here.

    Raises:
        BadUsageError: nothing does, as it would not be watching: the words that do it there are named.
    """
    place = command.place if isinstance(command, CommandAt) else ""
    found = {
        "reading.dashboard": dashboard,
        "reading.pools": pools,
        "reading.watch": watch,
        "recordings.record": record,
    }.get(place)
    if place == "serving.serve":
        return command  # its browsers' dashboards watch from afar
    if found is None:
        reach = session.reaches[0]
        typed = in_both_shells(reach.host, (*reach.program, *words_there(words)))
        raise BadUsageError(f"host {reach.host}", "only its samples come here", f"`{typed}` does it there")
    if found is not dashboard and len(session.reaches) > 1:
        raise BadUsageError("option --host", f"names {len(session.reaches)} hosts", "this command takes one at a time")
    return found


def words_there(words: Sequence[str]) -> list[str]:
    """The words of a command line, for a shell on the host that it is about."""
    kept: list[str] = []
    skips = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skips or name in _NO_WORDS:
            skips = not skips and not equals
        else:
            kept.append(word)
    return kept


def dashboard(session: Session, arguments: argparse.Namespace) -> int:
    """Run the dashboard over the hosts."""
    if is_attached(os.environ):
        end_with_server()
    else:
        need_terminal("use `dmtui --host HOST watch` in pipes")
    with nothing_collected():
        from dmtui.deviceset.options import parse_options  # noqa: PLC0415
        from dmtui.tui.hosts import HostsApp  # noqa: PLC0415
        from dmtui.tui.kept import Keeper, state_path  # noqa: PLC0415

    app = HostsApp(
        session.reaches,
        interval_seconds=session.settings.interval,
        ascii=arguments.ascii,
        min_free_percent=parse_options(session.settings.storage_opt).min_free_percent,
        thresholds=session.settings.alerts,
        bell=session.settings.bell,
        keeper=Keeper(state_path(os.environ)),
    )
    try:
        with tidied(app.hang_up):
            app.run()
    finally:
        app.hang_up()
    return app.return_code or int(ExitStatus.DONE)


def pools(session: Session, arguments: argparse.Namespace) -> int:
    """Print every thin pool of the host."""
    from dmtui.monitor.poolformats import pools_json, pools_table  # noqa: PLC0415

    reach = session.reaches[0]
    with _samples(reach, session.settings.interval) as samples:
        sample = next(samples)
    sys.stdout.write(pools_json(sample) if arguments.format == "json" else pools_table(sample, f"host {reach.host}"))
    for problem in sample.problems:
        print(f"dmtui: {printable(problem)}", file=sys.stderr)
    return int(ExitStatus.FAILED if sample.problems else ExitStatus.DONE)


def watch(session: Session, arguments: argparse.Namespace) -> int:
    """Print a line a sample."""
    from dmtui.monitor.poolformats import watch_line  # noqa: PLC0415

    check_count(arguments.count)
    with _samples(session.reaches[0], session.settings.interval) as samples:
        for taken, sample in enumerate(samples, start=1):
            sys.stdout.write(sample.to_json() + "\n" if arguments.format == "json" else watch_line(sample))
            sys.stdout.flush()
            if taken == arguments.count:
                break
    return int(ExitStatus.DONE)


def record(session: Session, arguments: argparse.Namespace) -> int:
    """Write samples to a file, to the end that was asked for or until it is interrupted; losses are gaps in it."""
    from dmtui.monitor.recorder import Header, Recorder  # noqa: PLC0415

    check_count(arguments.count)
    interval_seconds = session.settings.interval
    with _samples(session.reaches[0], interval_seconds) as samples:
        # Before the file is touched: a machine that cannot be watched must not cost an older recording.
        first = next(samples)
        recorder = Recorder(arguments.file, Header.of(first, interval_seconds), force=arguments.force)
        with kept(recorder, arguments.file):
            recorder.write(first)
            while arguments.count is None or recorder.count < arguments.count:
                recorder.write(next(samples))
    return int(ExitStatus.DONE)


@contextmanager
def _samples(reach: Reach, interval_seconds: float) -> Generator[Generator[Sample]]:
    """The samples of a host, without an end; ssh is gone behind it.

    Raises:
        RemoteError: the first try fails. What fails later is told on standard error, and tried again.
    """
    outcomes: queue.SimpleQueue[Sample | PollFailed] = queue.SimpleQueue()
    feed = Feed(reach, outcomes.put, interval_seconds)

    def samples() -> Generator[Sample]:
        begun = False
        while True:
            outcome = outcomes.get()
            if isinstance(outcome, Sample):
                begun = True
                yield outcome
                continue
            error = feed.error
            if not begun and error is not None:
                raise error
            print(f"dmtui: {outcome.message}", file=sys.stderr)

    feed.start()
    try:
        yield samples()
    finally:
        feed.stop()
        feed.close(_CLOSING_SECONDS)
