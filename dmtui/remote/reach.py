"""How a machine is reached: the argument list of ssh, never a line for a shell of ours."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from dmtui.remote.hosts import checked_host
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.values import frozen

_OPTIONS = (
    "BatchMode=yes",  # nobody is asked for anything: a prompt would be drawn over the dashboard
    "ConnectTimeout=10",
    "ServerAliveInterval=5",  # a machine that is cut off is noticed within a quarter of a minute
    "ServerAliveCountMax=3",
    "ControlMaster=no",  # one that is open is used; ours, which ends with us, is not what others then hang on
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
)


@frozen
class Reach:
    """How one machine is reached.

    Attributes:
        host: what ssh is given.
        program: the words that call dmtui there.
        options: of dmtui, which machine and graph directory are meant there.
    """

    host: str
    program: tuple[str, ...] = ("dmtui",)
    options: tuple[str, ...] = ()

    def watching(self, interval_seconds: float) -> list[str]:
        """The argument list of an ssh over which samples come for as long as it lasts."""
        named = any(option.startswith("--machine=") for option in self.options)
        # Not auto: where there is no device-mapper that would make an emulated machine, and show it for the real one.
        machine = () if named else ("--machine=kernel",)
        watch = ("watch", "--format", "json", "--interval", f"{interval_seconds:g}")
        words = (*self.program, *machine, *self.options, *watch)
        options = [word for option in _OPTIONS for word in ("-o", option)]
        # No terminal, no agent, no display; the host was checked, and behind -- it can be no option all the same.
        return ["ssh", "-T", "-a", "-x", *options, "--", checked_host(self.host), shlex.join(words)]

    def typed(self, *words: str) -> str:
        """What an operator types here to let dmtui do something there, quoted for both shells."""
        return in_both_shells(self.host, (*self.program, *self.options, *words))


def in_both_shells(host: str, words: Sequence[str]) -> str:
    """The ``ssh`` line that runs these words on a host: each quoted for the shell there, and then for the one here."""
    return shlex.join(["ssh", host, *(shlex.quote(word) for word in words)])


def program_of(text: str, place: str) -> tuple[str, ...]:
    """The words that call dmtui on the other machines, such as ``sudo -n dmtui``.

    Raises:
        BadUsageError: there are none, or they cannot be told apart; `place` says where they stand.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadUsageError(place, f"does not take {text!r}: {error}", "quote it as a shell does") from None
    if not words or words[0].startswith("-") or not all(word.isprintable() for word in words):
        raise BadUsageError(place, f"does not take {text!r}", "it takes a command, such as 'sudo -n dmtui'")
    return tuple(words)
