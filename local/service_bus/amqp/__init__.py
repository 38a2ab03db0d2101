"""The part of AMQP 1.0 (ISO/IEC 19464) that a broker needs, without any I/O.

`codec` knows the type system, `performatives` the nine frame bodies and the delivery states,
`framing` how bytes on a connection become frames. Nothing here knows Service Bus.
"""
