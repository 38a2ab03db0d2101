"""Readers: each finds the layers of one kind of file and reads them in chunks."""
