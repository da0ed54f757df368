"""The one seam to the operating system: the real machine and the emulated one, behind the same protocols."""
