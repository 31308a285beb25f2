"""What a resource looks like after an update: the masked fields of the request laid over what is stored."""

from typing import TypeVar

from google.protobuf import field_mask_pb2
from google.pubsub_v1 import types

from infra.local.pubsub.errors import invalid

Resource = TypeVar("Resource", types.Topic, types.Subscription, types.Snapshot)


def merged(present: Resource, request: Resource, mask: field_mask_pb2.FieldMask, mutable: frozenset[str]) -> Resource:
    """A copy of `present` with the fields of `mask`; raises INVALID_ARGUMENT for a field that cannot be changed."""
    kind = type(present)
    if not mask.paths:
        raise invalid(
            f"The update_mask in the Update{kind.__name__}Request must be set, and must contain a non-empty paths list."
        )
    for path in mask.paths:
        first = path.split(".")[0]
        problem = "is not mutable" if first in kind.meta.fields else "is not a known field"
        if first not in mutable:
            raise invalid(f"Invalid update_mask provided in the Update{kind.__name__}Request: {path} {problem}.")
    result = kind(present)
    mask.MergeMessage(kind.pb(request), kind.pb(result), replace_message_field=True, replace_repeated_field=True)
    return result
