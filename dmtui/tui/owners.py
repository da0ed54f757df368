"""What the owner of a pool offers instead of what is refused here: pools of others are watched, never changed."""

from __future__ import annotations

from collections.abc import Mapping

from dmtui.monitor.nextsteps import own_command
from dmtui.monitor.sample import Pool, ThinDevice

_COMMANDS: Mapping[str, Mapping[str, str]] = {
    "docker": {
        "device_create": "docker create IMAGE",
        "device_activate": "docker start CONTAINER",
        "device_deactivate": "docker stop CONTAINER",
        "device_mount": "docker start CONTAINER",
        "device_unmount": "docker stop CONTAINER",
        "device_remove": "docker rm CONTAINER",
        "pool_create": "systemctl start docker",
        "pool_extend": "systemctl stop docker, then {dmtui} pool extend",
        "pool_trim": "fstrim in each container, docker system prune",
        "pool_check": "systemctl stop docker, then {dmtui} pool check",
        "pool_reap": "systemctl restart docker",
        "pool_remove": "systemctl stop docker",
    },
    "containerd": {
        "device_create": "ctr snapshots prepare KEY PARENT",
        "device_activate": "ctr snapshots mounts TARGET KEY",
        "device_deactivate": "ctr tasks kill CONTAINER",
        "device_mount": "ctr snapshots mounts TARGET KEY",
        "device_unmount": "ctr tasks kill CONTAINER",
        "device_remove": "ctr snapshots rm KEY",
        "pool_create": "systemctl start containerd",
        "pool_reap": "systemctl restart containerd",
        "pool_remove": "systemctl stop containerd, then dmsetup remove {pool}",
    },
    "lvm": {
        "device_create": "lvcreate --snapshot {device}",
        "device_activate": "lvchange --activate y --ignoreactivationskip {device}",
        "device_deactivate": "lvchange --activate n {device}",
        "device_mount": "mount /dev/{device} DIRECTORY",
        "device_unmount": "umount /dev/{device}",
        "device_remove": "lvremove {device}",
        "pool_create": "vgchange --activate y",
        "pool_extend": "lvextend --size +SIZE {pool}",
        "pool_trim": "fstrim --all",
        "pool_check": "lvchange --activate n {pool}, then lvconvert --repair {pool}",
        "pool_remove": "lvchange --activate n {pool}",
    },
    "dmtui": {
        name: "{dmtui} " + name.replace("_", " ") + (" {device}" if name.startswith("device") else "")
        for name in (
            "device_activate", "device_deactivate", "device_mount", "device_unmount", "device_remove",
            "pool_create", "pool_extend", "pool_trim", "pool_check", "pool_reap", "pool_remove",
        )
    } | {"device_create": "{dmtui} device create NAME --parent {device}"},
}  # fmt: skip
_TITLES = {"docker": "Docker", "containerd": "containerd", "lvm": "LVM", "dmtui": "another graph directory"}


def refusal(action_id: str, pool: Pool, device: ThinDevice | None, *, emulated: bool = False) -> str:
    """Why a pool that is not ours is not changed from here, and what its owner would do."""
    owner = _TITLES.get(pool.owner, "somebody unknown")
    text = _owners_command(action_id, pool, device, emulated=emulated)
    if not text:
        return f"{pool.display_name} belongs to {owner}: it is only watched here"
    return f"{pool.display_name} belongs to {owner}: `{text}` does it there"


def _owners_command(action_id: str, pool: Pool, device: ThinDevice | None, *, emulated: bool) -> str:
    """What the owner of a pool would type to do it; empty where it has no such thing."""
    command = _COMMANDS.get(pool.owner, {}).get(action_id, "")
    return command.format(
        pool=pool.display_name,
        device=device.display_name if device else "VG/LV" if pool.owner == "lvm" else "NAME",
        dmtui=own_command(pool, "", emulated=emulated).rstrip(),
    )
