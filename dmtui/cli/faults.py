"""``dmtui emulator fault``: what fails on the emulated machine, once or until it is mended."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from dmtui.cli.emulator import changed, device_name, emulated
from dmtui.cli.session import Session
from dmtui.thinpool.errors import BadUsageError, ExitStatus

if TYPE_CHECKING:
    from dmtui.machine.emulated import EmulatedMachine

ONCE = ("fail-metadata-write", "fail-pool", "clear-needs-check")
LASTING = ("data-error", "metadata-error", "metadata-write-error", "hang", "udev-lag")
KINDS = (*ONCE, *LASTING, "list")
HELP = """once:
  fail-metadata-write    one write of the metadata fails: the pool turns read-only and needs a check
  fail-pool              the metadata cannot be read: the pool fails until it is activated anew
  clear-needs-check      what `thin_check --clear-needs-check-flag` does; NAME is the path of the metadata file

until it is mended (--off):
  data-error             the disk under the data gives errors; NAME is a pool, or a file of the host
  metadata-error         the disk under the metadata gives errors: the pool fails at its next commit
  metadata-write-error   only writes to it do: the pool turns read-only and needs a check at its next commit
  hang                   nothing that is asked of the device NAME comes back before --udev-timeout is over
  udev-lag               udev takes --seconds over each device node that comes or goes

  list                   those that are on
"""


def fault(session: Session, arguments: argparse.Namespace) -> int:
    """Let something fail once or from now on, mend it, or list what goes on failing."""
    command = f"dmtui emulator fault {arguments.kind}"
    if arguments.kind == "list":
        if arguments.subject or arguments.off or arguments.seconds is not None:
            raise BadUsageError(command, "takes nothing else")
        print("".join(f"{outage.text}\n" for outage in emulated(session).outages.list_active()), end="")
        return int(ExitStatus.DONE)
    if arguments.off and arguments.kind in ONCE:
        raise BadUsageError(command, "happens once: there is nothing to switch off")
    if arguments.seconds is not None and arguments.kind != "udev-lag":
        raise BadUsageError(command, "takes no --seconds, udev-lag does")
    if arguments.subject and arguments.kind == "udev-lag":
        raise BadUsageError(command, "is of no device", "leave the name out")
    machine = changed(session)
    if arguments.off and not arguments.subject:
        machine.outages.end(arguments.kind, "")
    elif arguments.kind == "udev-lag":
        machine.outages.lag_udev(5.0 if arguments.seconds is None else arguments.seconds)
    elif arguments.kind == "clear-needs-check":
        machine.faults.clear_needs_check(arguments.subject or f"{session.graph_directory}/devicemapper/metadata")
    else:
        _of_subject(session, machine, arguments)
    return int(ExitStatus.DONE)


def _of_subject(session: Session, machine: EmulatedMachine, arguments: argparse.Namespace) -> None:
    """A fault of an active device, or of what is at a path."""
    subject = arguments.subject or "pool"
    if not subject.startswith("/"):
        subject = device_name(session, machine, subject)
    causes: dict[str, Callable[[str], None]] = {
        "fail-metadata-write": machine.faults.fail_metadata_operation,
        "fail-pool": machine.faults.fail_pool,
        "hang": machine.outages.hang,
    }
    if arguments.off:
        machine.outages.end(arguments.kind, subject)
    elif arguments.kind in causes:
        causes[arguments.kind](subject)
    else:
        machine.outages.break_disk(arguments.kind, subject)
