"""An unpacked archive: its files in one folder, and beside it a list of what is not among them."""

FILES = "files"
PROBLEMS = "problems.json"
