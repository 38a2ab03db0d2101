"""FATHOM flood maps: tiles stacked by return period, and merged to larger rasters."""
