"""What lies under a pool's data or metadata: the device, its loop file, and the file system that holds it."""

from __future__ import annotations

from dmtui.monitor.sample import Backing
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Density, Level, Look
from dmtui.tui.lines import Line, Span, crop, fit_path, width_of

_KEY_WIDTH = 8
_LEAST_PATH_WIDTH = 10


def backing_lines(view: tuple[str, Backing], look: Look, width: int) -> list[Line]:
    """The panel's lines: one in a compact screen (with its title), four in all others."""
    title, backing = view
    if look.density is Density.COMPACT:
        return [_compact(title, backing, look, width)]
    rows: list[tuple[str, Line]] = [("device", _device(backing))]
    if backing.loop_file is None:
        rows += [
            ("on", (Span(printable(", ".join(backing.disks)) or "?"),)),
            ("file", _no_file()),
            ("", ()),
        ]
    else:
        rows += [
            ("file", _file(backing, look, width - _KEY_WIDTH)),
            ("size", _file_sizes(backing, look)),
            ("host", _host(backing, look)),
        ]
    return [crop((Span(f"{key:<{_KEY_WIDTH}}", "muted"), *value), width, look.glyphs.ellipsis) for key, value in rows]


def _compact(title: str, backing: Backing, look: Look, width: int) -> Line:
    label = Span(f"{title:<10}", "accent")
    if backing.loop_file is None:
        on = Span(printable(", ".join(backing.disks)) or "?")
        return crop((label, *_device(backing), Span("  on ", "muted"), on), width, look.glyphs.ellipsis)
    head = (label, *_device(backing)[:1], Span("  "))
    tail = (
        Span("  "),
        Span(look.size(backing.loop_file_allocated_bytes)),
        Span(" on disk  ", "muted"),
        Span(look.size(backing.host_free_bytes)),
        Span(" host free", "muted"),
    )
    if width - width_of(head) - width_of(tail) < _LEAST_PATH_WIDTH:
        tail = (Span("  "), *tail[3:])
    room = width - width_of(head) - width_of(tail)
    return crop((*head, *_file(backing, look, room), *tail), width, look.glyphs.ellipsis)


def _device(backing: Backing) -> Line:
    if backing.device is None:
        return (Span("?", "warn"), Span(f"  {backing.dev}", "muted"))
    return (Span(printable(backing.device)), Span(f"  {backing.dev}", "muted"))


def _file(backing: Backing, look: Look, room: int) -> Line:
    path = printable(backing.loop_file or "")
    if not backing.loop_file_deleted:
        return (Span(fit_path(path, max(4, room), look.glyphs.ellipsis)),)
    mark = Span(f"{Level.CRIT.sign(look.glyphs)} DELETED ", "crit")
    return (mark, Span(fit_path(path, max(4, room - width_of([mark])), look.glyphs.ellipsis)))


def _file_sizes(backing: Backing, look: Look) -> Line:
    return (
        Span(look.size(backing.loop_file_size_bytes)),
        Span(" apparent, ", "muted"),
        Span(look.size(backing.loop_file_allocated_bytes)),
        Span(" allocated", "muted"),
    )


def _host(backing: Backing, look: Look) -> Line:
    return (
        Span(look.size(backing.host_free_bytes)),
        Span(" free of ", "muted"),
        Span(look.size(backing.host_total_bytes)),
    )


def _no_file() -> Line:
    return (Span("no loop file", "muted"),)
