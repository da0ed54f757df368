"""The device-set engine: what Docker's devicemapper driver did with a pool and its devices, mended."""
