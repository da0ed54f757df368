"""Widgets: each has one job, its own CSS, and a message for what it wants."""
