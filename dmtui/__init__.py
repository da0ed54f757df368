"""dmtui: a dashboard and a device-set engine for Linux device-mapper thin pools."""

__version__ = "0.1.0"
