"""Publishing tables: staged, checked, swapped in at once, kept and rolled back by version."""
