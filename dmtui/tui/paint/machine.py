"""What a machine is made of, as lines: versions, programs, loop devices, the graph directory."""

from __future__ import annotations

import textwrap

from dmtui.monitor.machinefacts import LoopFact, MachineFacts, ProgramFact
from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Density, Look, age
from dmtui.tui.lines import Line, Span, crop, fit_path

_KEY_WIDTH = 18


@frozen
class MachineView:
    """What the panels show.

    Attributes:
        facts: None before the first answer.
        error: why there is none, or no newer one.
        silent_seconds: how long an open question has not been answered.
    """

    facts: MachineFacts | None
    error: str = ""
    silent_seconds: int = 0


def machine_lines(view: MachineView, look: Look, width: int) -> list[Line]:
    """Versions, and why this machine."""
    facts = view.facts
    if facts is None:
        return _waiting(view, look, width)
    if facts.notes:
        return _second_hand(facts, look, width)
    rows: list[tuple[str, Line]] = [
        ("machine", (Span(printable(facts.description), "strong"),)),
        ("why this one", (Span(printable(facts.why) or "it was asked for by name (--machine)"),)),
        ("device-mapper", _known(facts.driver_version, look)),
        ("libdevmapper", _known(facts.library_version, look)),
        ("thin-pool target", _target(facts, look)),
        ("udev sync", _yes(facts.udev_sync, look, "nodes are made in step with udev")),
        ("deferred removal", _yes(facts.deferred_removal, look, "a busy device goes when it is let go of")),
        ("dmtui", (Span(f"{facts.dmtui_version}   Textual {facts.textual_version}   Python {facts.python_version}"),)),
        ("graph directory", (Span(printable(facts.graph_directory)),)),
        ("", (Span(printable(facts.graph_state), "muted"),)),
    ]
    lines = [each for key, value in rows for each in _row(key, value, look, width)]
    problems = (*facts.problems, *((view.error,) if view.error else ()))
    lines += [crop((_warn(look), Span(printable(text), "warn")), width, look.glyphs.ellipsis) for text in problems]
    return lines


def _second_hand(facts: MachineFacts, look: Look, width: int) -> list[Line]:
    """What is known of a machine that cannot be asked: where it comes from, and what was told; the rest is left out."""
    made = (("dmtui", facts.dmtui_version), ("Textual", facts.textual_version), ("Python", facts.python_version))
    rows: list[tuple[str, Line]] = [
        ("machine", (Span(printable(facts.description), "strong"), Span(f"  {facts.kind}", "muted"))),
        *((title, (Span(printable(text)),)) for title, text in facts.notes),
    ]
    rows += [
        (title, (Span(printable(text)),))
        for title, text in (
            ("device-mapper", facts.driver_version),
            ("libdevmapper", facts.library_version),
            ("thin-pool target", facts.thin_pool_version),
            ("made with", "   ".join(f"{name} {version}" for name, version in made if version)),
            ("graph directory", facts.graph_directory),
            ("", facts.graph_state),
        )
        if text
    ]
    if facts.udev_sync is not None:
        rows.append(("udev sync", _yes(facts.udev_sync, look, "nodes are made in step with udev")))
    lines = [each for key, value in rows for each in _row(key, value, look, width)]
    return [*lines, *(each for text in facts.problems for each in _told(text, look, width))]


def programs_lines(view: MachineView, look: Look, width: int) -> list[Line]:
    """The programs; for those that are missing how to get them. In a compact screen only these."""
    facts = view.facts
    if facts is None:
        return [()]
    if not facts.programs:
        return [(Span("not known", "muted"),)]
    lines: list[Line] = []
    present = [program for program in facts.programs if program.present]
    if look.density is Density.COMPACT:
        names = ", ".join(program.name for program in present)
        lines.append(crop((_ok(look), Span(names or "none", "muted")), width, look.glyphs.ellipsis))
    else:
        for program in present:
            spans = (_ok(look), Span(f"{program.name:<13}"), Span(program.purpose, "muted"))
            lines.append(crop(spans, width, look.glyphs.ellipsis))
    packages: dict[tuple[str, str], list[ProgramFact]] = {}
    for program in facts.missing:
        packages.setdefault((program.debian_package, program.fedora_package), []).append(program)
    for (debian, fedora), programs in packages.items():
        lines += [
            crop(
                (_warn(look), Span(f"{program.name:<13}", "strong"), Span(program.purpose, "muted")),
                width,
                look.glyphs.ellipsis,
            )
            for program in programs
        ]
        same = "apt install " if fedora != debian else "apt or dnf install "
        lines.append(_how(same, debian, look, width))
        if fedora != debian:
            lines.append(_how("dnf install ", fedora, look, width))
    return lines


def loops_lines(view: MachineView, look: Look, width: int) -> list[Line]:
    """The loop devices with their files and what stands on them."""
    facts = view.facts
    if facts is None:
        return [()]
    if not facts.loops:
        return [(Span("no loop device is bound", "muted"),)]
    lines: list[Line] = []
    for loop in facts.loops:
        lines += _loop(loop, look, width)
    return lines


def _how(command: str, package: str, look: Look, width: int) -> Line:
    return crop((Span(f"    {command}{package}"),), width, look.glyphs.ellipsis)


def _loop(loop: LoopFact, look: Look, width: int) -> list[Line]:
    head = [Span(f"{loop.device:<13}", "strong"), Span(f"{look.size(loop.size_bytes):>10}  ")]
    if loop.deleted:
        head.append(Span(f"{look.glyphs.crit} DELETED ", "crit"))
    words = [word for word, holds in (("read-only", loop.read_only), ("autoclear", loop.autoclear)) if holds]
    tail = f"  {', '.join(words)}" if words else ""
    room = max(8, width - sum(len(span.text) for span in head) - len(tail))
    path = printable(loop.file) if loop.file else "file not told"
    head += [Span(fit_path(path, min(room, len(path)), look.glyphs.ellipsis)), Span(tail, "muted")]
    on = printable(", ".join(loop.holders)) if loop.holders else "nothing of device-mapper"
    return [
        crop(head, width, look.glyphs.ellipsis),
        crop((Span(f"{'':<13}carries ", "muted"), Span(on)), width, look.glyphs.ellipsis),
    ]


def _waiting(view: MachineView, look: Look, width: int) -> list[Line]:
    if view.error:
        return _told(view.error, look, width)
    if view.silent_seconds >= 1:
        return [(_warn(look), Span(f"no answer for {age(view.silent_seconds)}", "warn"))]
    return [(Span("asking the machine ...", "muted"),)]


def _told(text: str, look: Look, width: int) -> list[Line]:
    """What is wrong, behind its sign."""
    sign = _warn(look)
    parts = textwrap.wrap(printable(text), max(20, width - len(sign.text)), break_on_hyphens=False)
    gap = Span(" " * len(sign.text))
    return [(gap if number else sign, Span(part, "warn")) for number, part in enumerate(parts)]


def _row(key: str, value: Line, look: Look, width: int) -> list[Line]:
    """A line; a text of one role that is too long goes on below."""
    head = Span(f"{key:<{_KEY_WIDTH}}", "muted")
    first, *others = value
    if others:
        return [crop((head, *value), width, look.glyphs.ellipsis)]
    text, role = first
    parts = textwrap.wrap(text, max(12, width - _KEY_WIDTH)) or [""]
    blank = Span(" " * _KEY_WIDTH)
    return [(blank if number else head, Span(part, role)) for number, part in enumerate(parts)]


def _known(value: str | None, look: Look) -> Line:
    return (Span(printable(value)),) if value else (Span(look.glyphs.unknown, "warn"),)


def _target(facts: MachineFacts, look: Look) -> Line:
    if facts.thin_pool_version:
        return (Span(facts.thin_pool_version),)
    return (_warn(look), Span("not loaded: modprobe dm_thin_pool", "warn"))


def _yes(value: bool | None, look: Look, meaning: str) -> Line:
    if value is None:
        return (Span(look.glyphs.unknown, "warn"),)
    if value:
        return (Span("yes"), Span(f"   {meaning}", "muted"))
    return (_warn(look), Span("no", "warn"))


def _ok(look: Look) -> Span:
    return Span(f"{look.glyphs.ok} ", "ok")


def _warn(look: Look) -> Span:
    return Span(f"{look.glyphs.warn} ", "warn")
