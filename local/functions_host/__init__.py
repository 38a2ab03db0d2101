"""A local Azure Functions host: runs an unmodified function_app.py on one machine.

`python -m local.functions_host --app DIR --host 127.0.0.1 --port 7071 --state DIR`

- `worker`, `bindings`: load the app, and invoke a function with what its trigger delivers.
- `http_server`, `routes`, `keys`, `webhooks`: HTTP triggers and the Durable extension's HTTP API.
- `timers`, `ncrontab`: timer triggers.
- `service_bus_listener`, `service_bus_messages`: Service Bus queue triggers.
- `out_of_process`, `durable_functions`: the protocol of azure-functions-durable 1.x, between the
  app and the hub in `local.task_hub`.
- `settings`, `host`: configuration, and the whole put together.
"""
