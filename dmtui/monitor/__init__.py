"""The polling backend: turns a machine into a stream of immutable samples."""
