"""Databases that are watched, and the partitions of what is kept of them.

Queries here return statements and execute nothing; the one exception is `instances`, which connects to the instances.
"""
