"""The outside world of a laptop: a mail server, WeCom, an SMS gateway; they keep what they get and fail on demand."""

from infra.local.sinks.sinks import Sinks

__all__ = ["Sinks"]
