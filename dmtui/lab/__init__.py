"""Guided demonstrations over the emulated machine."""
