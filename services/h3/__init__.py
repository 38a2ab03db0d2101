"""Rasters summed up by the cells of the H3 grid."""
