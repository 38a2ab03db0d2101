"""A Service Bus endpoint for one machine, to which the unmodified Azure SDKs connect.

    amqp/                  AMQP 1.0 as such: types, performatives, frames; no I/O
    connection, session,   AMQP at work on a socket: handshake, windows, credit, deliveries
    links, nodes
    cbs, management,       what Service Bus adds on top of AMQP: tokens, operations, outcomes
    requests, outcomes
    messages, queues,      the rules of queues, without AMQP frames, sockets or storage
    message_sessions,
    due_times
    journal                messages on disk
    namespace, server,     all of it in one process
    config, __main__

Connection string:
`Endpoint=sb://127.0.0.1:PORT;SharedAccessKeyName=RootManageSharedAccessKey;`
`SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;`
"""
