"""Which machines are watched from afar: what is taken for a host, and the groups of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from dmtui.thinpool.errors import BadUsageError

MOST_HOSTS = 32
"""Each is an ssh, a thread and a history."""
_LONGEST = 255
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(
    r"(?:ssh://)?"
    r"(?:[A-Za-z0-9._][A-Za-z0-9._+@-]*@)?"  # a user, who may have a domain
    r"(?:\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]|[A-Za-z0-9._:][A-Za-z0-9._:%-]*)"
    r"/?"
)
"""No part may begin with a hyphen, which ssh or a ProxyCommand would take for an option, and none has a sign that a
shell reads: ssh hands names on to the shells of ProxyCommand and Match exec."""


def checked_host(text: str) -> str:
    """The text, if it is what ssh takes for a host: ``[USER@]NAME``, an alias, or ``ssh://[USER@]NAME[:PORT]``.

    Raises:
        BadUsageError: it is none, or one that ssh could take for something else.
    """
    if len(text) > _LONGEST or not _HOST.fullmatch(text):
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        raise BadUsageError(
            f"host {shown!r}", "is no name of a host", "it is [USER@]NAME, as `ssh` takes it, or @GROUP"
        )
    return text


def resolve_hosts(names: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The hosts that are meant, each once, in their order: ``@NAME`` stands for the hosts of a group.

    Raises:
        BadUsageError: a name is no host, a group is unknown, or they are more than `MOST_HOSTS`.
    """
    found: dict[str, None] = {}
    for name in names:
        if not name.startswith("@"):
            found[checked_host(name)] = None
            continue
        hosts = groups.get(name[1:])
        if hosts is None:
            known = ", ".join(f"@{group}" for group in groups)
            step = f"there are {known}" if known else "the table [hosts] of the configuration names groups"
            raise BadUsageError(f"group {name!r}", "is unknown", step)
        found.update(dict.fromkeys(hosts))
    if len(found) > MOST_HOSTS:
        raise BadUsageError("option --host", f"names {len(found)} hosts", f"{MOST_HOSTS} at a time are watched")
    return tuple(found)


def groups_of(table: object, place: str) -> Mapping[str, tuple[str, ...]]:
    """The groups of the configuration's table ``[hosts]``: a list of hosts by the name of the group.

    Raises:
        BadUsageError: it is none; `place` says where it stands.
    """
    if not isinstance(table, dict):
        raise BadUsageError(
            place, f"does not take {table!r}", 'it is a table of groups, such as web = ["web1", "web2"]'
        )
    groups: dict[str, tuple[str, ...]] = {}
    for name, hosts in cast("dict[str, object]", table).items():
        if not _GROUP.fullmatch(name):
            raise BadUsageError(
                f"{place}.{name}", "is no name of a group", "it takes letters, digits, dots and hyphens"
            )
        members = cast("list[object]", hosts) if isinstance(hosts, list) else []
        if not members or not all(isinstance(each, str) for each in members):
            raise BadUsageError(f"{place}.{name}", f"does not take {hosts!r}", "it takes a list of hosts")
        groups[name] = tuple(checked_host(cast("str", each)) for each in members)
    return groups
