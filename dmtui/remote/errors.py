"""Why a machine cannot be watched from afar, in words, from how its ssh ended and what it said last."""

from __future__ import annotations

import re

from dmtui import __version__
from dmtui.remote.reach import Reach
from dmtui.thinpool.errors import DmtuiError, ExitStatus

_OWN_STATUS = 255
"""ssh ends with it for a reason of its own, otherwise with the status of what it ran."""
_NOT_FOUND, _NOT_RUN = 127, 126
_LONGEST_WORDS = 300


class RemoteError(DmtuiError):
    """A machine cannot be watched from afar.

    Attributes:
        lasting: only somebody can mend it: it is not tried again soon.
    """

    def __init__(
        self,
        host: str,
        happened: str,
        next_step: str = "",
        *,
        lasting: bool = False,
        exit_status: ExitStatus = ExitStatus.FAILED,
    ) -> None:
        super().__init__(f"host {host}", happened, next_step)
        self.lasting, self.exit_status = lasting, exit_status


def ended(reach: Reach, status: int | None, said: str) -> RemoteError:
    """Why the stream of a machine has ended.

    Args:
        reach: how it was reached.
        status: with which ssh ended (negative: the signal that killed it); None where it did not by itself.
        said: the last that came on its standard error, from anybody.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = cut(lines[-1].rstrip(".")) if lines else ""
    if status == _OWN_STATUS:
        return _of_ssh(reach.host, last, said)
    return _of_its_dmtui(reach, status, last, said)


def _of_ssh(host: str, last: str, said: str) -> RemoteError:
    """It has not come so far that something was run there, or lost the connection."""
    if "Permission denied (" in said:
        step = f"`ssh {host}` must work unasked: load a key (ssh-add), or share an open connection (ssh -M {host})"
        return RemoteError(
            host, f"does not let us in: {last}", step, lasting=True, exit_status=ExitStatus.NOT_PERMITTED
        )
    if re.search(r"Host key verification failed|host key is known", said):
        happened = "its key is not known here, or is another than before"
        return RemoteError(host, happened, f"`ssh {host}` shows it: compare it once", lasting=True)
    return RemoteError(host, last or "ssh gave up and did not say why", "" if last else f"try `ssh -v {host}`")


def _of_its_dmtui(reach: Reach, status: int | None, last: str, said: str) -> RemoteError:
    """What was run there has ended."""
    host, exit_status = reach.host, ExitStatus.FAILED
    if re.search(r"sudo: .*(password|terminal|tty)", said):
        happened = f"sudo there asks for a password: {last}"
        step = "allow it without one (NOPASSWD) and take --remote-command 'sudo -n dmtui'"
        exit_status = ExitStatus.NOT_PERMITTED
    elif status in (_NOT_FOUND, _NOT_RUN):
        what = "there is none in the PATH that ssh gives it" if status == _NOT_FOUND else "it cannot be run"
        happened = f"{' '.join(reach.program)}: {what} ({last or f'exit status {status}'})"
        step = "install dmtui there, or say where it is: --remote-command /PATH/dmtui"
    elif status == ExitStatus.BAD_USAGE:
        happened = f"its dmtui does not understand us: {last or 'exit status 2'}"
        step = f"install the same version there; here is {__version__}"
        exit_status = ExitStatus.BAD_USAGE
    elif status == ExitStatus.NOT_PERMITTED:
        happened = f"its dmtui is not permitted: {last or 'exit status 4'}"
        step = (
            f"watch it as root (--host {_as_root(host)}), or take --remote-command 'sudo -n dmtui' and let sudoers "
            "there have `USER ALL=(root) NOPASSWD: /PATH/dmtui --machine=kernel watch *`"
        )
        exit_status = ExitStatus.NOT_PERMITTED
    else:
        how = "the connection is gone" if status is None else f"its dmtui has ended (exit status {status})"
        return RemoteError(host, f"{how}: {last}" if last else how)
    return RemoteError(host, happened, step, lasting=True, exit_status=exit_status)


def _as_root(host: str) -> str:
    """The same host, reached as root."""
    scheme, _, rest = host.rpartition("ssh://")
    return f"{'ssh://' if scheme or host.startswith('ssh://') else ''}root@{rest.rpartition('@')[2]}"


def cut(text: str) -> str:
    """A text of theirs, no longer than is read at a glance."""
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]} ..."
