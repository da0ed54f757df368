"""The commands over recordings: record samples to a file, and play one in the dashboard or as lines."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from dmtui.cli.closing import ended_in_order
from dmtui.cli.reading import ask_facts, check_count, need_terminal
from dmtui.cli.session import Session
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import ExitStatus
from dmtui.thinpool.text import printable

if TYPE_CHECKING:
    from dmtui.monitor.recorder import Recorder
    from dmtui.monitor.recording import Recording
    from dmtui.monitor.sample import Sample


def record(session: Session, arguments: argparse.Namespace) -> int:
    """Write samples to a file, to the end that was asked for or until it is interrupted."""
    from dmtui.monitor.discover import Discoverer  # noqa: PLC0415
    from dmtui.monitor.recorded import RecordReader  # noqa: PLC0415
    from dmtui.monitor.recorder import Header, Recorder  # noqa: PLC0415

    check_count(arguments.count)
    discoverer = Discoverer(session.machine, records=RecordReader(session.machine, session.graph_directory))
    interval_seconds = session.settings.interval
    due = time.monotonic()
    # Before the file is touched: a machine that cannot be read must not cost an older recording.
    sample: Sample | None = discoverer.take()
    header = Header.of(sample, interval_seconds, ask_facts(session).to_json())
    recorder = Recorder(arguments.file, header, force=arguments.force)
    with kept(recorder, arguments.file):
        while True:
            if sample is not None:
                recorder.write(sample)
            if arguments.count is not None and recorder.count >= arguments.count:
                break
            due = max(due + interval_seconds, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))  # a moment has gone by since it was looked at
            try:
                sample = discoverer.take()
            except MachineError as error:
                # A gap in the recording, not its end.
                sample = None
                print(f"dmtui: {error}", file=sys.stderr)
    return int(ExitStatus.DONE)


@contextmanager
def kept(recorder: Recorder, file: str) -> Generator[None]:
    """Record here until it is enough or told to end, which is the usual way; then the file is whole, and named."""
    try:
        with ended_in_order():
            yield
    except KeyboardInterrupt:
        pass
    finally:
        recorder.close()
    print(f"dmtui: {recorder.count} samples are in {printable(file)}", file=sys.stderr)


def replay(session: Session, arguments: argparse.Namespace) -> int:
    """Play a recording; the machine is not opened."""
    from dmtui.monitor.recording import Recording  # noqa: PLC0415

    if arguments.format is None:
        need_terminal("use `dmtui replay FILE --format text` in pipes")
    with Recording.open(arguments.file) as recording:
        for finding in recording.findings:
            print(f"dmtui: {printable(f'{recording.path}: {finding}')}", file=sys.stderr)
        return _dashboard(session, arguments, recording) if arguments.format is None else _lines(recording)


def _lines(recording: Recording) -> int:
    """A line a sample, as `dmtui watch` printed it then."""
    from dmtui.monitor.poolformats import watch_line  # noqa: PLC0415
    from dmtui.monitor.recorder import RecordingError  # noqa: PLC0415

    status = ExitStatus.DONE
    for index in range(len(recording)):
        try:
            sys.stdout.write(watch_line(recording.at(index)))
        except RecordingError as error:
            print(f"dmtui: {error}", file=sys.stderr)
            status = ExitStatus.FAILED
    return int(status)


def _dashboard(session: Session, arguments: argparse.Namespace, recording: Recording) -> int:
    """The dashboard over a recording: it plays at the recorded pace and pauses at the end; nothing can be changed."""
    from dmtui.monitor.replay import Replay  # noqa: PLC0415
    from dmtui.monitor.secondhand import facts_of_recording  # noqa: PLC0415
    from dmtui.tui.app import DashboardApp  # noqa: PLC0415
    from dmtui.tui.kept import Keeper, state_path  # noqa: PLC0415

    def take() -> Sample:
        sample = player.take()
        return replace(sample, machine_description=f"recording, {sample.machine_description}")

    told = f"; {printable(recording.findings[0])}" if recording.findings else "; it pauses at its end"
    player = Replay(recording, lambda: app.stream.freshness.interval_seconds, lambda: app.call_later(app.action_pause))
    app = DashboardApp(
        take,
        interval_seconds=session.settings.interval,
        read_only=True,
        banner=f"recording {recording.path}, {len(recording)} samples{told}",
        ascii=arguments.ascii,
        clock=player.clock,
        thresholds=session.settings.alerts,
        bell=session.settings.bell,
        keeper=Keeper(state_path(os.environ)),
        player=player,
        ask_facts=lambda: facts_of_recording(recording),
    )
    app.run()
    return app.return_code or int(ExitStatus.DONE)
