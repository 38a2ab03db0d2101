"""What speaks for and against each type of raster: one module for each kind of evidence."""
