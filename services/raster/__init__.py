"""Rasters: what they are, the COG that is made of them, and their place in the catalog."""
