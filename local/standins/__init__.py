"""Stand-ins for services and data that cannot be had without an account.

Real servers and real files of the documented shape, with made-up contents: for the tests, and to
try a dataset before its credentials are there.
"""
