"""The other systems of a laptop: they serve rows page by page, take what is pushed to them, and fail on demand."""

from infra.local.sources.sources import Sources

__all__ = ["Sources"]
