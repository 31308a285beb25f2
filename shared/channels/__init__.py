"""How a message reaches a person: one module a channel, and `outside`, which all that leave the house share.

What belongs here talks to a provider. Who is told what, and when, is decided before (notifications, deliveries).
"""
