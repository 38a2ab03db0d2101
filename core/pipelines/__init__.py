"""What a pipeline means: expressions, their types, and the check of a whole document.

Nothing here does I/O, and nothing here is Python's own `eval`.
"""
