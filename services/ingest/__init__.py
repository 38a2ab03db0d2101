"""Take a STAC Collection of COGs from one container to another, and into pgSTAC."""
