"""Starts, watches and stops what geoforge runs on: PostgreSQL, Azurite, Service Bus, the host.

`python -m local.stack up` starts a supervisor in the background, which starts the parts, restarts
any that dies, and keeps what it knows in `.local/state.json`. The commands read that file; they
share nothing else with the supervisor but signals and a lock.
"""
