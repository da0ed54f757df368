"""What is known of a machine that cannot be asked: from the file of a recording, or from the samples of a host."""

from __future__ import annotations

import time
from dataclasses import replace

from dmtui.monitor.alertrules import duration
from dmtui.monitor.machinefacts import LoopFact, MachineFacts
from dmtui.monitor.recorder import Header, RecordingError
from dmtui.monitor.recording import Recording
from dmtui.monitor.sample import Sample

_MOMENT = "%Y-%m-%d %H:%M:%S"


def facts_of_recording(recording: Recording) -> MachineFacts:
    """What a recording tells of its machine, and of itself; one of an earlier dmtui tells less."""
    header, count = recording.header, len(recording)
    begin, end = recording.time(0), recording.time(count - 1)
    notes = (
        ("recording", recording.path),
        ("recorded", f"{_moment(begin)} to {_moment(end)}, by dmtui {header.dmtui}"),
        ("holds", f"{count} samples over {duration(max(0.0, end - begin))}, one every {header.interval_seconds:g} s"),
    )
    facts = _facts_of(header)
    if facts is not None:
        return replace(facts, notes=notes)
    try:
        first = recording.at(0)
    except RecordingError:
        first = None
    return MachineFacts(
        asked_at=begin,
        kind=header.machine,
        description=header.machine_description,
        loops=() if first is None else _loops_of(first),
        problems=("the recording tells no more: versions and programs were not recorded with it",),
        notes=notes,
    )


def facts_of_host(host: str, command: str, shell: str, sample: Sample) -> MachineFacts:
    """What the samples of a host tell of it.

    Args:
        host: its name.
        command: what is run for them.
        shell: what is typed here to have the dashboard there, which knows the rest.
        sample: the newest.
    """
    devices = sum(len(pool.devices) for pool in sample.pools)
    notes = (
        ("host", host),
        ("figures by", command),
        ("a poll there", f"takes {1000 * sample.took_seconds:.0f} ms"),
        ("pools", f"{len(sample.pools)}, with {devices} active thin devices"),
    )
    return MachineFacts(
        asked_at=sample.taken_at,
        kind=sample.machine,
        description=sample.machine_description,
        loops=_loops_of(sample),
        problems=(*sample.problems, f"host {host}: sends figures only; `{shell}` shows the rest"),
        notes=notes,
    )


def _facts_of(header: Header) -> MachineFacts | None:
    """What was told when the recording began; None where nothing was kept, or by a later dmtui in another form."""
    try:
        return MachineFacts.from_json(header.facts) if header.facts else None
    except ValueError:
        return None


def _loops_of(sample: Sample) -> tuple[LoopFact, ...]:
    """The loop devices that its pools stand on."""
    found: list[LoopFact] = []
    for pool in sample.pools:
        for backing in (pool.data_backing, pool.metadata_backing):
            if backing.loop_file:
                size = backing.loop_file_size_bytes or 0
                device, names = backing.device or backing.dev, (pool.name,)
                gone = backing.loop_file_deleted
                found.append(LoopFact(device, backing.dev, backing.loop_file, gone, size, False, False, names))
    return tuple(found)


def _moment(seconds: float) -> str:
    return time.strftime(_MOMENT, time.localtime(seconds))
