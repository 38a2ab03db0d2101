"""A worker of its own process, for test_job_progress_contexts: it reports tasks in four threads.

    progress_worker.py JOB_ID FIRST_TASK TASKS ATTEMPT whole|half

`whole` says how far each task is in a hundred words, and the last of them is the whole of it;
`half` stays amid all of its tasks. Each prints "written" when its words are in the database; then
it waits for a line, which the one that is to be killed never gets.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from core.models.metrics import Attempt
from infrastructure import job_progress
from infrastructure.job_figures import speaking_for
from infrastructure.job_progress_contexts import H3AggregationTracker

job_id, mode = sys.argv[1], sys.argv[5]
first, tasks, attempt = map(int, sys.argv[2:5])
words = 100 if mode == "whole" else 50


def work(index: int) -> None:
    with speaking_for(Attempt(0, index, attempt)):
        tracker = H3AggregationTracker(job_id)
    for word in range(1, words + 1):
        tracker.cells_processed(
            f"compute_stats:{index}", word * (100 + index) // 100, word * (200 + index) // 100
        )
    if mode == "whole":
        tracker.tile_processed(f"compute_stats:{index}")
    job_progress.flush(job_id)  # as the engine does before it settles a task


with ThreadPoolExecutor(4) as threads:
    list(threads.map(work, range(first, first + tasks)))
print("written", flush=True)
sys.stdin.readline()
