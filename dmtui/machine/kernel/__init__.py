"""The real machine: the running Linux kernel's device-mapper, loop devices and files."""

from __future__ import annotations

from dmtui.machine.kernel.machine import KernelMachine

__all__ = ["KernelMachine"]
