"""What the figures of a panel mean: unit, of what, from where, in the kernel's own words."""

from __future__ import annotations

from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, Span, crop
from dmtui.tui.paint.help import entry, figures

_DEVICE = ("STATE", "ID", "SIZE", "PARENT", "AGE", "kernel name", "table", "transaction", "initialized", "deletion")
PANELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("pools", "Pools", ("mode", "Data", "Metadata")),
    ("facts", "Pool", ("mode", "needs check", "block size", "transaction", "low water", "when full")),
    ("pool-facts", "Pool", ("mode", "needs check", "block size", "transaction", "low water", "when full")),
    ("space", "Space", ("Data", "available", "Metadata", "history")),
    ("capacity", "Space", ("Data", "available", "Metadata", "host free")),
    ("data-backing", "Data and metadata device", ("file", "host free")),
    ("footing", "Stands on", ("file", "host free")),
    ("metadata-backing", "Metadata device", ("file", "host free")),
    ("findings", "What is wrong", ("finding",)),
    ("outlook", "Outlook", ("full in", "no trend", "promised", "writers")),
    ("data-chart", "Data", ("chart", "Data")),
    ("metadata-chart", "Metadata above its reserve", ("chart", "Metadata")),
    ("host-chart", "Host file system", ("chart", "host free")),
    ("devices", "Thin devices", ("ID", "SIZE", "MAPPED", "USED", "OPEN", "STATE")),
    ("all-devices", "Devices", ("ID", "STATE", "SIZE", "MAPPED", "USED", "OPEN", "PARENT", "MOUNTED AT", "AGE")),
    ("inspect-device", "Device", _DEVICE),
    ("inspect-lineage", "Lineage", ("PARENT",)),
    ("device-facts", "Device", _DEVICE),
    ("device-space", "Space", ("SIZE", "MAPPED", "USED", "highest sector")),
    ("device-use", "Use", ("OPEN", "MOUNTED AT")),
    ("device-chart", "Mapped", ("chart", "MAPPED")),
    ("device-lineage", "Lineage", ("PARENT",)),
    ("device-events", "Events", ("FROM", "WHEN")),
    ("running", "Under way", ("step", "command")),
    ("past", "Past operations", ("WHO", "OPERATION", "RESULT", "TOOK")),
    ("alerts", "Alerts", ("LEVEL", "LOW, HIGH", "POLLS", "SEEN")),
    ("pool-alerts", "Alerts", ("LEVEL", "SEEN")),
    ("events", "Events", ("FROM", "WHEN")),
    ("machine-versions", "Machine", ("device-mapper", "thin-pool target", "udev sync", "deferred removal")),
    ("machine-programs", "Programs", ("program",)),
    ("machine-loops", "Loop devices", ("file", "autoclear", "carries")),
    ("hosts", "Hosts", ("connection", "FIGURES", "WORST")),
    ("host", "Host", ("connection",)),
)
"""The panels by their ids: title, and the figures that stand in them."""
MORE_FIGURES: tuple[tuple[str, str], ...] = (
    ("LEVEL", "watch, WARN or CRIT: from the thresholds in [alerts] of the configuration; two polls must agree."),
    ("LOW, HIGH", "The smallest and the largest figure since the alert began: percent, or hours until full."),
    ("POLLS", "How many samples had it."),
    ("SEEN", "Acknowledged with A; new again when it gets worse."),
    ("FROM", "kernel: what differs between two samples. alert: ours. operation: the audit log of the graph directory."),
    ("WHEN", "Local time; of what the kernel did, the later of the two samples between which it happened."),
    ("device-mapper", "Version of the interface, as the kernel's driver tells it (DM_VERSION)."),
    ("thin-pool target", "Version of the kernel's thin-pool target, once its module dm_thin_pool is loaded."),
    ("udev sync", "Whether libdevmapper waits for udev to make a node before it goes on."),
    ("deferred removal", "Whether a device in use may be removed as soon as nobody uses it (interface 4.27)."),
    ("finding", "What the pool's status, its table and its loop files say that should not be, in words."),
    ("full in", "Time until 100 %: from the rates of several windows, as a range. Of the samples since the start."),
    ("no trend", "It was watched for too short a time, or goes up and down: no time can be told."),
    ("promised", "Virtual sizes of all devices together, of the data space: what they may still ask for."),
    (
        "writers",
        "A pool without space lets writes wait (no_space_timeout, mostly 60 s) before they fail: what is left of it.",
    ),
    ("chart", "Percent, always 0 to 100, over the span in the title; lines where WARN and CRIT begin. Our samples."),
    ("ID", "Number of the thin device in its pool. Table of an active device, else the record."),
    ("STATE", "The kernel's (active, suspended, FAILED), the mounts' (mounted) or the record's (inactive, deleted)."),
    ("USED", "MAPPED of SIZE in percent; the file system in it may see it otherwise."),
    (
        "PARENT",
        "What it was a snapshot of when it was made. From the graph directory's records; the kernel knows none.",
    ),
    ("MOUNTED AT", "In our mount namespace (/proc/self/mountinfo); others may have it mounted elsewhere: see OPEN."),
    ("AGE", "Since the record's file was made."),
    ("kernel name", "Its device-mapper name: what dmsetup takes."),
    ("table", "Start, length in sectors of 512 bytes, target, pool and thin id, as dmsetup table prints them."),
    ("initialized", "Whether its file system was made (base device), or it is a snapshot. Record."),
    ("deletion", "Whether its removal was asked for while it was busy; w and W try it again. Record."),
    ("highest sector", "The highest sector with a block, of 512 bytes. Status line."),
    ("step", "What the plan says; at its right how long it took. From the engine, as it happens."),
    ("command", "The command line that would do the same; dmtui calls the kernel itself. y copies it."),
    ("WHO", "The user, from the audit log in the graph directory; this session: from here."),
    ("OPERATION", "The engine's word. From this session and the audit log (dmtui/audit.jsonl)."),
    ("RESULT", "done; failed, undone: taken back; unfinished: the next command goes on; partly done: of several."),
    ("TOOK", "From the first step to the last, waits included."),
    ("program", "Looked for in the PATH, not run. What lacks it, and the packages that bring it, stand beside."),
    ("carries", "The devices that stand upon it (/sys/block/loopN/holders)."),
    (
        "connection",
        "LIVE: samples come over ssh. no answer: the next one is overdue. lost: ssh has ended; it is tried again after "
        "1 to 60 s, where only somebody can mend it after 5 min, and at once with r.",
    ),
    ("FIGURES", "How old they are, by the clock here: from when they arrived, whatever the clock there shows."),
    ("WORST", "The worst alert that is on, by the thresholds in [alerts] of the configuration here."),
    ("autoclear", "The loop device goes when its last user closes it (LO_FLAGS_AUTOCLEAR)."),
)
_TITLE_WIDTH = 18


def explain_lines(panels: tuple[str, ...], look: Look, width: int) -> list[Line]:
    """The figures of these panels, by their ids; those of the first, which has the focus, stand first."""
    texts = {**dict(figures(look.thresholds)), **dict(MORE_FIGURES)}
    known = {name: (title, names) for name, title, names in PANELS}
    lines: list[Line] = []
    told: set[str] = set()
    for name in panels:
        title, names = known.get(name, ("", ()))
        new = [figure for figure in names if figure not in told]
        told.update(new)
        if new:
            lines += [(), (Span(title, "accent"),)] if lines else [(Span(title, "accent"),)]
        for figure in new:
            lines += entry(Span(f"{figure:<{_TITLE_WIDTH}}", "strong"), texts[figure], width)
    if not lines:
        lines.append(crop((Span("nothing on this screen needs explaining: ? shows all figures", "muted"),), width))
    return [*lines, (), (Span(f"{'?':<{_TITLE_WIDTH}}", "strong"), Span(texts["?"], "muted"))]
