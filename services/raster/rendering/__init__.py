"""How rasters are drawn: the style of each type, previews, map tiles and legends."""
