"""The local Pub/Sub: the real gRPC API, real pushes, kept in a folder. No client code and no topics of Belfry here."""

from infra.local.pubsub.server import LocalPubSub

__all__ = ["LocalPubSub"]
