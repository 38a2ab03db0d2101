"""What operators see beside the jobs: throughput, queues, processes, the database, dead letters."""
