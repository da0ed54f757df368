"""The command line: reads the words, opens the machine, prints, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from dmtui.cli.parser import build_parser
from dmtui.cli.session import Session
from dmtui.thinpool.errors import DmtuiError, ExitStatus


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status (DESIGN.md section 5)."""
    try:
        words = sys.argv[1:] if words is None else words
        arguments = build_parser(words).parse_args(words)
        session = Session(arguments)
        try:
            command = cast("Callable[[Session, argparse.Namespace], int]", arguments.command)
            if session.reaches:
                from dmtui.cli.remote import from_afar  # noqa: PLC0415 - for those who watch from afar

                command = from_afar(command, session, words)
            status = command(session, arguments)
        finally:
            session.close()
        sys.stdout.flush()
    except DmtuiError as error:
        # Where a word of the command line is the object, its name begins with ours already.
        named = str(error).startswith(("dmtui ", "dmtui:"))
        print(error if named else f"dmtui: {error}", file=sys.stderr)
        return int(error.exit_status)
    except BrokenPipeError:
        # Whoever read us has gone: what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitStatus.DONE)
    except KeyboardInterrupt:
        print("dmtui: interrupted; what was under way is finished or undone by the next command", file=sys.stderr)
        return 130
    return status
