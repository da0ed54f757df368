"""Settings from three places, the nearer one wins: command line, environment (``DMTUI_*``), configuration file.

The file is ``$XDG_CONFIG_HOME/dmtui/config.toml`` (``~/.config`` where unset); its keys are the options' names with
underscores: ``machine``, ``emulated_dir``, ``graph``, ``storage_opt`` (a list), ``read_only``, ``interval``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from dmtui.thinpool.errors import BadUsageError

MACHINES = ("auto", "kernel", "emulated")
_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no", "")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the product is told before it starts; None where the default depends on the machine."""

    machine: str = "auto"
    emulated_dir: str | None = None
    graph: str | None = None
    storage_opt: tuple[str, ...] = ()
    read_only: bool = False
    interval: float = 1.0


def load_settings(environment: Mapping[str, str], given: Mapping[str, Any]) -> Settings:
    """Merge file, environment and what was `given` on the command line (None: not given).

    Raises:
        BadUsageError: a key is unknown or a value is of the wrong kind, naming where it stands.
    """
    path = Path(environment.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "dmtui" / "config.toml"
    settings = _merge(Settings(), _from_file(path), f"{path}: key")
    settings = _merge(settings, _from_environment(environment), "environment DMTUI_")
    return _merge(settings, {key: value for key, value in given.items() if value is not None}, "option ")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadUsageError(str(path), f"cannot be read: {error}", "mend or remove it") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in Settings.__dataclass_fields__:
        text = environment.get(f"DMTUI_{key.upper()}")
        if text is None:
            continue
        if key == "storage_opt":
            found[key] = text.split()
        elif key == "read_only" and text.lower() in (*_TRUE, *_FALSE):
            found[key] = text.lower() in _TRUE
        elif key == "interval":
            found[key] = _number(text)
        else:
            found[key] = text
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _merge(settings: Settings, values: Mapping[str, Any], place: str) -> Settings:
    for key, value in values.items():
        check = _CHECKS.get(key)
        if check is None:
            raise BadUsageError(f"{place} {key}", "is unknown", f"known are {', '.join(_CHECKS)}")
        accepted, holds = check
        if not holds(value):
            raise BadUsageError(f"{place} {key}", f"does not take {value!r}", f"it takes {accepted}")
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


_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "machine": (" or ".join(MACHINES), _is_machine),
    "emulated_dir": ("a directory", _is_text),
    "graph": ("a directory", _is_text),
    "storage_opt": ("a list of dm.KEY=VALUE", _is_list_of_texts),
    "read_only": ("true or false", _is_boolean),
    "interval": ("seconds from 0.1 to 60", _is_interval),
}
