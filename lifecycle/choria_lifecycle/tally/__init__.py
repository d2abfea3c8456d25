"""A tally of the fleet: the number of nodes by component and version, counted from lifecycle events.

`recorder` keeps the numbers and `exposition` writes them for Prometheus, both without I/O. Nothing is imported here:
only the command needs the packages of the extra `cli`.
"""
