"""What runs in the sandboxed child: everything that touches bytes of strangers.

Its functions are called by name through `infrastructure.sandbox`; what they take and return is
JSON. They have no settings, no credentials and no network.
"""
