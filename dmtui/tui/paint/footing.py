"""What a pool stands on: its data and its metadata device, one under the other."""

from __future__ import annotations

from dmtui.monitor.sample import Pool
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, Span
from dmtui.tui.paint.backing import backing_lines


def footing_lines(pool: Pool, look: Look, width: int) -> list[Line]:
    """The lines of both devices, each below its own heading where there is room."""
    lines: list[Line] = []
    for title, backing in (("Data", pool.data_backing), ("Metadata", pool.metadata_backing)):
        body = [
            spans for spans in backing_lines((title, backing), look, width) if "".join(s.text for s in spans).strip()
        ]
        if look.density is not Density.COMPACT:
            lines.append((Span(f"{title} device", "accent"),))
        lines += body
    return lines
