"""The dashboard: Textual widgets that render a `Sample`; no widget asks the machine anything."""
