"""A tally of the fleet: how many nodes of each component run which version, kept from lifecycle events.

`recorder` keeps the numbers, `exposition` shows them to Prometheus; neither opens a connection or reads a clock of its
own accord. Nothing is imported here: `lifecycle tally` alone needs the packages of the extra `cli`.
"""
