"""The program that Terraform starts in the provider's place: serves schema.json and plans by its flags alone.

What the configuration leaves open is unknown when planned and answered by cloud.py when applied; what is known stays,
so that a second plan finds nothing to do. Terraform itself refuses what the schema does not have; what is only
computed, the provider does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgpack

from tests.infra.terraform import plugin, protocol
from tests.infra.terraform.cloud import Answers
from tests.infra.terraform.protocol import UNKNOWN

SCHEMA = Path(__file__).with_name("schema.json")
NESTING = {"single": protocol.SINGLE, "list": protocol.LIST, "set": protocol.SET}
# The provider says these of itself; the package that schema.json comes from does not repeat them.
SENSITIVE = {
    "access_token",
    "password",
    "password_wo",
    "root_password",
    "root_password_wo",
    "secret_data",
    "secret_data_wo",
}
WRITE_ONLY = "_wo"
# What the cloud cannot change in place: of every resource, and of one.
FIXED = {"account_id", "location", "name", "project", "region", "role", "secret_id"}
FIXED_OF = {
    "google_pubsub_subscription": {"topic", "filter", "enable_message_ordering"},
    "google_secret_manager_secret_version": {"secret", "secret_data"},
    "google_sql_database": {"instance"},
    "google_sql_user": {"instance", "host"},
    "google_storage_bucket_object": {"bucket", "source"},
}

Block = dict[str, Any]
Fill = Callable[[str, Any], Any]


def wire(block: Block) -> protocol.Block:
    """A block of schema.json as the protocol's message."""
    return protocol.Block(
        attributes=[
            protocol.Attribute(
                name=name,
                type_=json.dumps(kind).encode(),
                required="required" in flags,
                optional="optional" in flags,
                computed="computed" in flags,
                sensitive=name in SENSITIVE,
                write_only=name.endswith(WRITE_ONLY),
            )
            for name, (flags, kind) in block["attributes"].items()
        ],
        block_types=[
            protocol.NestedBlock(
                type_name=name,
                block=wire(nested),
                nesting=NESTING[nesting],
                min_items=int(required),
                max_items=int(one and nesting != "single"),
            )
            for name, (nesting, required, one, nested) in block["blocks"].items()
        ],
    )


def filled(block: Block, value: dict[str, Any], fill: Fill, *, gap: Any) -> dict[str, Any]:
    """The value of a block with every `gap` (None or UNKNOWN) in a computed attribute filled by `fill(name, type)`."""
    done: dict[str, Any] = {}
    for name, (flags, kind) in block["attributes"].items():
        if name.endswith(WRITE_ONLY):
            done[name] = None  # is sent, and never kept
        elif "computed" in flags and (value[name] is None if gap is None else isinstance(value[name], msgpack.ExtType)):
            done[name] = fill(name, kind)
        else:
            done[name] = value[name]
    for name, (_, _, _, nested) in block["blocks"].items():
        inner = value[name]
        if isinstance(inner, dict):
            done[name] = filled(nested, inner, fill, gap=gap)
        elif isinstance(inner, list):
            done[name] = [filled(nested, item, fill, gap=gap) for item in inner]
        else:
            done[name] = inner
    return done


def settled_by_the_cloud(block: Block, value: dict[str, Any]) -> Iterator[str]:
    """The attributes, as "block.attribute", that a configuration sets although they are only computed."""
    for name, (flags, _) in block["attributes"].items():
        if flags == "computed" and value[name] is not None:
            yield name
    for name, (_, _, _, nested) in block["blocks"].items():
        inner = value[name] if isinstance(value[name], list) else [value[name]]
        for item in inner:
            if isinstance(item, dict):
                yield from (f"{name}.{found}" for found in settled_by_the_cloud(nested, item))


class Google:
    """One Terraform command's provider."""

    def __init__(self) -> None:
        self.schema = json.loads(SCHEMA.read_text("utf-8"))
        self.config: dict[str, Any] = {}

    def get_schema(self, _: protocol.Empty) -> protocol.ProviderSchema:
        def schemas(part: str) -> dict[str, protocol.Schema]:
            return {name: protocol.Schema(block=wire(block)) for name, block in self.schema[part].items()}

        return protocol.ProviderSchema(
            provider=schemas("provider")["google"],
            resource_schemas=schemas("resources"),
            data_source_schemas=schemas("data_sources"),
        )

    def configure(self, request: protocol.ConfigureRequest) -> protocol.Empty:
        given = msgpack.unpackb(request.config.msgpack)
        self.config = {name: given[name] for name in ("project", "region", "zone") if isinstance(given[name], str)}
        return protocol.Empty()

    def validate(self, part: str, request: protocol.ValueRequest) -> protocol.Verdict:
        value = msgpack.unpackb(request.value.msgpack)
        return protocol.Verdict(
            diagnostics=[
                protocol.Diagnostic(
                    severity=protocol.ERROR,
                    summary="Value for unconfigurable attribute",
                    detail=f"{found}: its value will be decided automatically based on the result of applying",
                    attribute=protocol.Path(steps=[protocol.Step(attribute_name=found.split(".")[0])]),
                )
                for found in settled_by_the_cloud(self.schema[part][request.type_name], value)
            ]
        )

    def upgrade(self, request: protocol.UpgradeRequest) -> protocol.StateAnswer:
        return _state(json.loads(request.raw_state.json))

    def read(self, request: protocol.ValueRequest) -> protocol.StateAnswer:
        return protocol.StateAnswer(state=request.value)

    def read_data(self, request: protocol.ValueRequest) -> protocol.StateAnswer:
        value = msgpack.unpackb(request.value.msgpack)
        answers = Answers(request.type_name, value, self.config)
        return _state(filled(self.schema["data_sources"][request.type_name], value, answers.value, gap=None))

    def plan(self, request: protocol.PlanRequest) -> protocol.StateAnswer:
        prior, proposed = (msgpack.unpackb(v.msgpack) for v in (request.prior_state, request.proposed_new_state))
        if proposed is None:
            return _state(None)
        block = self.schema["resources"][request.type_name]
        planned = filled(block, proposed, lambda name, _: self.config.get(name, UNKNOWN), gap=None)
        fixed = FIXED | FIXED_OF.get(request.type_name, set())
        if "_iam_member" in request.type_name:
            fixed = set(block["attributes"])
        moved = sorted(name for name in fixed & set(planned) if prior is not None and prior[name] != planned[name])
        return _state(planned, moved)

    def apply(self, request: protocol.ApplyRequest) -> protocol.StateAnswer:
        planned = msgpack.unpackb(request.planned_state.msgpack)
        if planned is None:
            return _state(None)
        answers = Answers(request.type_name, planned, self.config)
        return _state(filled(self.schema["resources"][request.type_name], planned, answers.value, gap=UNKNOWN))


def _state(value: Any, moved: list[str] | None = None) -> protocol.StateAnswer:
    return protocol.StateAnswer(
        state=protocol.DynamicValue(msgpack=msgpack.packb(value)),
        requires_replace=[protocol.Path(steps=[protocol.Step(attribute_name=name)]) for name in moved or []],
    )


def main() -> None:
    google = Google()
    empty = protocol.Empty

    def nothing(_: protocol.Empty) -> protocol.Empty:
        return empty()

    value, state = protocol.ValueRequest, protocol.StateAnswer
    plugin.serve(
        "tfplugin6.Provider",
        {
            "GetProviderSchema": (empty, protocol.ProviderSchema, google.get_schema),
            "ValidateProviderConfig": (empty, empty, nothing),
            "ValidateResourceConfig": (value, protocol.Verdict, partial(google.validate, "resources")),
            "ValidateDataResourceConfig": (value, protocol.Verdict, partial(google.validate, "data_sources")),
            "ConfigureProvider": (protocol.ConfigureRequest, empty, google.configure),
            "UpgradeResourceState": (protocol.UpgradeRequest, state, google.upgrade),
            "ReadResource": (value, state, google.read),
            "ReadDataSource": (value, state, google.read_data),
            "PlanResourceChange": (protocol.PlanRequest, state, google.plan),
            "ApplyResourceChange": (protocol.ApplyRequest, state, google.apply),
            "StopProvider": (empty, empty, nothing),
        },
    )


if __name__ == "__main__":
    main()
