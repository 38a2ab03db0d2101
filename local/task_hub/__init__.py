"""A Durable Functions task hub on PostgreSQL.

The parts, from the inside out:

- `history`, `actions`, `awaited`, `orchestrator`, `turn`, `rewind`: what an orchestration does
  next, as pure functions of its history and of the actions its code asked for. No I/O, no clock.
- `database`, `turn_store`, `activity_store`, `instance_store`, `schedule_store`: what is kept, in
  PostgreSQL. An orchestration's turn is one transaction, so engine state changes exactly once;
  activities run at least once, under a lease.
- `orchestrations`, `activities`, `hub`: the loops that move work from the store through the
  functions and back.
- `client`: what a client may ask of an instance (start, raise, terminate, rewind, ...).

The hub knows nothing of Azure Functions: `functions.FunctionRunner` is the seam. What the language
SDK sends and receives is the host's business (`local.functions_host.out_of_process`).
"""
