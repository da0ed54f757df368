"""Machines watched from afar: ssh runs ``dmtui watch`` there and its samples come here; nothing there is changed."""
