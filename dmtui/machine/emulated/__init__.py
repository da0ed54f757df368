"""The emulated machine: a faithful dm-thin in user space, one machine in one directory."""

from dmtui.machine.emulated.machine import EmulatedMachine

__all__ = ["EmulatedMachine"]
