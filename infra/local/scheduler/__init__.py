"""The local Cloud Scheduler: the real gRPC API, real HTTP firing. Nothing here knows of Belfry's jobs or database."""

from infra.local.scheduler.quota import Quota
from infra.local.scheduler.server import LocalScheduler

__all__ = ["LocalScheduler", "Quota"]
