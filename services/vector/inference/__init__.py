"""What is guessed about a file, with evidence: types, encodings, places of coordinates, CRS."""
