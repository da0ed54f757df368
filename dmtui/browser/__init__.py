"""The dashboard in a browser: textual-serve's terminal page and wire protocol, behind a door of our own.

Each browser that is let in gets a child process, the same `dmtui` with the same options; the server draws nothing.
"""
