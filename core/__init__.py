"""The domain: what a job, a stage and a task are. No I/O happens here."""
