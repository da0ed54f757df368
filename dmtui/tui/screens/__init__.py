"""Screens: each arranges widgets and hands them what they show."""
