"""The command serve: the dashboard in a browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import cast

from dmtui.cli.reading import populate_if_fresh
from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, DmtuiError, ExitStatus

# Options that are handed on as they were given; what environment and configuration say, the child finds as we did.
_HANDED_ON = (
    "machine", "emulated_dir", "graph", "storage_opt", "busy_timeout", "udev_timeout", "interval", "remote_command",
)  # fmt: skip


class NotInstalledError(DmtuiError):
    """A part of the product that is not installed with the rest."""


def serve(session: Session, arguments: argparse.Namespace) -> int:
    """Serve the dashboard until it is interrupted."""
    if find_spec("textual_serve") is None:
        raise NotInstalledError("dmtui serve", "is not installed", "`pip install 'dmtui[serve]'` adds it")
    from dmtui.browser.server import Place, serve  # noqa: PLC0415 - an HTTP server, for this command alone
    from dmtui.deviceset.options import parse_options  # noqa: PLC0415

    _check(session, arguments)
    # What a dashboard would fail on is told here, before any browser comes.
    parse_options(session.settings.storage_opt)
    if not session.reaches:
        populate_if_fresh(session, session.machine)
    session.close()
    manner = "with changes allowed" if arguments.allow_changes else "read-only"
    place = Place(arguments.host, arguments.port, tuple(arguments.allow_host), arguments.sessions)
    serve(place, child_words(arguments), manner)
    return int(ExitStatus.DONE)


def child_words(arguments: argparse.Namespace) -> Sequence[str]:
    """The argument list of a browser's dashboard: this very program, with the options given to this command."""
    # -P: what lies in the directory that the server happens to be started in is not imported.
    words = [sys.executable, "-P", "-m", "dmtui"]
    for key in _HANDED_ON:
        given: object = getattr(arguments, key, None)
        # What is repeatable comes as a tuple.
        values = cast("tuple[object, ...]", given) if isinstance(given, tuple) else () if given is None else (given,)
        words += [f"--{key.replace('_', '-')}={value}" for value in values]
    far_hosts: tuple[str, ...] = getattr(arguments, "far_hosts", ())
    words += [f"--host={host}" for host in far_hosts]
    if arguments.ascii:
        words.append("--ascii")
    if not arguments.allow_changes:
        words.append("--read-only")
    return words


def _check(session: Session, arguments: argparse.Namespace) -> None:
    if arguments.allow_changes and session.reaches:
        host = session.reaches[0].host
        raise BadUsageError(
            "option --allow-changes", f"has no effect on {host}, which is only watched", "leave it away"
        )
    if arguments.allow_changes and session.settings.read_only:
        raise BadUsageError(
            "option --allow-changes",
            "contradicts read_only, which an option, DMTUI_READ_ONLY or the configuration sets",
            "take one of them away",
        )
    if not arguments.host:
        raise BadUsageError("option --host", "does not take an empty name", "0.0.0.0 means every address")
    if not 0 <= arguments.port <= 65535:
        raise BadUsageError("option --port", f"does not take {arguments.port}", "it takes a number from 0 to 65535")
    if not 1 <= arguments.sessions <= 100:
        raise BadUsageError("option --sessions", f"does not take {arguments.sessions}", "it takes 1 to 100")
