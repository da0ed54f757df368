"""Settings from three places, the nearer one wins: command line, environment (``DMTUI_*``), configuration file.

The file is ``$XDG_CONFIG_HOME/dmtui/config.toml`` (``~/.config`` where unset); its keys are the options' names with
underscores: ``machine``, ``emulated_dir``, ``graph``, ``storage_opt`` (a list), ``read_only``, ``interval``,
``busy_timeout``, ``udev_timeout`` (seconds), ``bell`` (false: the dashboard never rings), ``remote_command`` (what
calls dmtui on hosts that are watched over ssh). Two tables stand in the file only. ``[hosts]`` names groups of such
hosts, for ``--host @NAME``::

    [hosts]
    production = ["web1", "web2", "root@db1"]

``[alerts]`` says when alerts begin (`dmtui.monitor.thresholds`); these are its defaults::

    [alerts]
    data_percent = [75, 85, 92]         # data used: watch, WARN, CRIT
    metadata_percent = [60, 70, 80]     # metadata used above the kernel's reserve
    host_missing_percent = [0, 50, 90]  # what a sparse loop file may still ask for and its host does not have
    hours_to_full = [24, 1]             # time until data, metadata or host are full: WARN, CRIT
    hysteresis_points = 2               # how far below its threshold a percentage must be for an alert to end
    polls = 2                           # how many polls in a row must agree
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, cast

from dmtui.monitor.thresholds import Thresholds, thresholds_of
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.values import frozen

MACHINES = ("auto", "kernel", "emulated")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no", "")


@frozen
class Settings:
    """What the product is told before it starts; None where the default depends on the machine."""

    machine: str = "auto"
    emulated_dir: str | None = None
    graph: str | None = None
    storage_opt: tuple[str, ...] = ()
    read_only: bool = False
    interval: float = 1.0
    busy_timeout: float = 20.0
    udev_timeout: float = 30.0
    bell: bool = True
    remote_command: str = "dmtui"
    alerts: Thresholds = field(default_factory=Thresholds)
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


def load_settings(environment: Mapping[str, str], given: Mapping[str, Any]) -> Settings:
    """Merge file, environment and what was `given` on the command line (None: not given).

    Raises:
        BadUsageError: a key is unknown or a value is of the wrong kind, naming where it stands.
    """
    path = Path(environment.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "dmtui" / "config.toml"
    settings = _merge(Settings(), _from_file(path), lambda key: f"{path}: key {key}")
    settings = _merge(settings, _from_environment(environment), lambda key: f"environment DMTUI_{key.upper()}")
    given = {key: value for key, value in given.items() if value is not None}
    return _merge(settings, given, lambda key: f"option --{key.replace('_', '-')}")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsageError(str(path), f"cannot be read: {error}", "mend or remove it") from error
    import tomllib  # noqa: PLC0415 - most have no such file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadUsageError(str(path), f"cannot be read: {error}", "mend or remove it") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in Settings.__dataclass_fields__:
        text = environment.get(f"DMTUI_{key.upper()}")
        if text is None:
            continue
        if key == "storage_opt":
            found[key] = text.split()
        elif key in ("read_only", "bell") and text.lower() in (*_TRUE, *_FALSE):
            found[key] = text.lower() in _TRUE
        elif key in ("interval", "busy_timeout", "udev_timeout"):
            found[key] = _number(text)
        else:
            found[key] = text
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _merge(settings: Settings, values: Mapping[str, Any], place: Callable[[str], str]) -> Settings:
    for key, value in values.items():
        if key == "alerts":
            settings = replace(settings, alerts=thresholds_of(value, place(key)))
            continue
        if key == "hosts":
            from dmtui.remote.hosts import groups_of  # noqa: PLC0415 - most have none

            settings = replace(settings, hosts=groups_of(value, place(key)))
            continue
        check = _CHECKS.get(key)
        if check is None:
            raise BadUsageError(place(key), "is unknown", f"known are {', '.join(_CHECKS)}, alerts, hosts")
        accepted, holds = check
        if not holds(value):
            raise BadUsageError(place(key), f"does not take {value!r}", f"it takes {accepted}")
        if key == "storage_opt":
            value = (*settings.storage_opt, *value)  # noqa: PLW2901 - lists collect
        changes: dict[str, Any] = {key: value}
        settings = replace(settings, **changes)
    return settings


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in cast("list[object]", value))


def _is_machine(value: object) -> bool:
    return value in MACHINES


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_interval(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.1 <= value <= 60


def _is_timeout(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.1 <= value <= 3600


_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "machine": (" or ".join(MACHINES), _is_machine),
    "emulated_dir": ("a directory", _is_text),
    "graph": ("a directory", _is_text),
    "storage_opt": ("a list of dm.KEY=VALUE", _is_list_of_texts),
    "read_only": ("true or false", _is_boolean),
    "interval": ("seconds from 0.1 to 60", _is_interval),
    "busy_timeout": ("seconds from 0.1 to 3600", _is_timeout),
    "udev_timeout": ("seconds from 0.1 to 3600", _is_timeout),
    "bell": ("true or false", _is_boolean),
    "remote_command": ("a command, such as 'sudo -n dmtui'", _is_text),
}
