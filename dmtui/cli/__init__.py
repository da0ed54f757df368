"""The command line: reads the words, opens the machine, prints, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from dmtui.cli.parser import build_parser
from dmtui.cli.session import Session
from dmtui.thinpool.errors import DmtuiError, ExitStatus, NotPermittedError


def as_root(error: DmtuiError, words: Sequence[str]) -> DmtuiError:
    """The error, its advice to run as root spelled out for whoever is not: the line to type, quoted for a shell."""
    if not isinstance(error, NotPermittedError) or "run as root" not in error.next_step or os.geteuid() == 0:
        return error
    # By its path: where sudo looks for programs there mostly is none of ours.
    module = Path(sys.argv[0]).name == "__main__.py"
    program = [sys.executable, "-m", "dmtui"] if module else [str(Path(sys.argv[0]).absolute())]
    typed = shlex.join(["sudo", *program, *words])
    step = error.next_step.replace("run as root", f"run it as root: `{typed}`", 1)
    return NotPermittedError(error.subject, error.happened, step)


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
        told = str(as_root(error, words or ()))
        print(told if told.startswith(("dmtui ", "dmtui:")) else f"dmtui: {told}", file=sys.stderr)
        return int(error.exit_status)
    except BrokenPipeError:
        # Whoever read us has gone: what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitStatus.DONE)
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"dmtui: standard output cannot be written: {error.strerror}; make room for it", file=sys.stderr)
        return int(ExitStatus.FAILED)
    except KeyboardInterrupt:
        print("dmtui: interrupted; what was under way is finished or undone by the next command", file=sys.stderr)
        return 130
    return status
