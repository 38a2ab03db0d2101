"""The dashboard: what runs now, how fast, and what ended."""
