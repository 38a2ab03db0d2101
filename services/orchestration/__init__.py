"""The engine: jobs of stages of tasks, with PostgreSQL as the ledger.

Submission, planning, the window, workers, closing, cancel, resume and repair, each in a
module of its own. Nothing here knows about Azure Functions: `jobs.orchestration` calls it
from triggers. docs/engine.md tells the whole story.
"""
