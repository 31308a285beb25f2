"""The messages of Terraform's plugin protocol 6 that the stand-in reads or writes, with the protocol's field numbers.

A field that is not listed is skipped when read. Values travel as msgpack in `DynamicValue`; an unknown one is the
extension type 0 (or 12, with what is known of it).
"""

from __future__ import annotations

import msgpack
import proto

__protobuf__ = proto.module(package="tfplugin6")
UNKNOWN = msgpack.ExtType(0, b"\0")
SINGLE, LIST, SET = 1, 2, 3
ERROR = 1


class DynamicValue(proto.Message):
    msgpack = proto.Field(proto.BYTES, number=1)


class RawState(proto.Message):
    json = proto.Field(proto.BYTES, number=1)


class Attribute(proto.Message):
    name = proto.Field(proto.STRING, number=1)
    type_ = proto.Field(proto.BYTES, number=2)
    required = proto.Field(proto.BOOL, number=4)
    optional = proto.Field(proto.BOOL, number=5)
    computed = proto.Field(proto.BOOL, number=6)
    sensitive = proto.Field(proto.BOOL, number=7)
    write_only = proto.Field(proto.BOOL, number=11)


class Block(proto.Message):
    attributes = proto.RepeatedField(Attribute, number=2)
    block_types = proto.RepeatedField("NestedBlock", number=3)


class NestedBlock(proto.Message):
    type_name = proto.Field(proto.STRING, number=1)
    block = proto.Field(Block, number=2)
    nesting = proto.Field(proto.INT32, number=3)
    min_items = proto.Field(proto.INT64, number=4)
    max_items = proto.Field(proto.INT64, number=5)


class Schema(proto.Message):
    version = proto.Field(proto.INT64, number=1)
    block = proto.Field(Block, number=2)


class ProviderSchema(proto.Message):
    provider = proto.Field(Schema, number=1)
    resource_schemas = proto.MapField(proto.STRING, proto.MESSAGE, number=2, message=Schema)
    data_source_schemas = proto.MapField(proto.STRING, proto.MESSAGE, number=3, message=Schema)


class Step(proto.Message):
    attribute_name = proto.Field(proto.STRING, number=1)


class Path(proto.Message):
    steps = proto.RepeatedField(Step, number=1)


class Diagnostic(proto.Message):
    severity = proto.Field(proto.INT32, number=1)
    summary = proto.Field(proto.STRING, number=2)
    detail = proto.Field(proto.STRING, number=3)
    attribute = proto.Field(Path, number=4)


class Empty(proto.Message):
    """A request that is not looked at, an answer without diagnostics."""


class ConfigureRequest(proto.Message):
    config = proto.Field(DynamicValue, number=2)


class UpgradeRequest(proto.Message):
    raw_state = proto.Field(RawState, number=3)


class ValueRequest(proto.Message):
    """What ReadResource, ReadDataSource and the two validations ask: the value is the state or the configuration."""

    type_name = proto.Field(proto.STRING, number=1)
    value = proto.Field(DynamicValue, number=2)


class PlanRequest(proto.Message):
    type_name = proto.Field(proto.STRING, number=1)
    prior_state = proto.Field(DynamicValue, number=2)
    proposed_new_state = proto.Field(DynamicValue, number=3)


class ApplyRequest(proto.Message):
    type_name = proto.Field(proto.STRING, number=1)
    planned_state = proto.Field(DynamicValue, number=3)


class Verdict(proto.Message):
    """What ValidateResourceConfig and ValidateDataResourceConfig answer."""

    diagnostics = proto.RepeatedField(Diagnostic, number=1)


class StateAnswer(proto.Message):
    """What UpgradeResourceState, ReadResource, ReadDataSource, PlanResourceChange and ApplyResourceChange answer."""

    state = proto.Field(DynamicValue, number=1)
    requires_replace = proto.RepeatedField(Path, number=2)
