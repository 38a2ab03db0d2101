"""The front door: the index of the pages, and the files that they all load."""
