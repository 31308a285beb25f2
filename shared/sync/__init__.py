"""Rows of other systems: what comes in (pull), what goes out (push). Sockets are shared/remote.py's."""
