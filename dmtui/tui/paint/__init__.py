"""Painters: plain functions from values to lines of text with roles; nothing here knows a widget."""
