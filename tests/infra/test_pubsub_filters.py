"""Filters let through what the documentation of Pub/Sub says, and malformed ones are refused with a position."""

import grpc
import pytest

from infra.local.pubsub.errors import RefusedError
from infra.local.pubsub.filters import compile_filter


@pytest.mark.parametrize(
    ("text", "attributes", "passes"),
    [
        ("", {}, True),
        ("  ", {"channel": "email"}, True),
        ('attributes.channel = "email"', {"channel": "email"}, True),
        ('attributes.channel="email"', {"channel": "Email"}, False),
        ('attributes.channel = "email"', {}, False),
        ('attributes.channel = ""', {}, False),
        ('attributes.channel = ""', {"channel": ""}, True),
        ('attributes.channel != "email"', {"channel": "sms"}, True),
        ('attributes.channel != "email"', {"channel": "email"}, False),
        ('attributes.channel != "email"', {}, True),
        ("attributes:channel", {"channel": ""}, True),
        ("attributes:channel", {"channels": "x"}, False),
        ('hasPrefix(attributes.job, "check_")', {"job": "check_overdue_issues"}, True),
        ('hasPrefix(attributes.job, "check_")', {"job": "daily_kit_check"}, False),
        ('hasPrefix(attributes.job, "")', {}, False),
        ("NOT attributes:channel", {}, True),
        ("-attributes:channel", {"channel": "x"}, False),
        ("NOT NOT attributes:channel", {"channel": "x"}, True),
        ('attributes:a AND attributes.b = "1" AND NOT attributes:c', {"a": "", "b": "1"}, True),
        ('attributes:a AND attributes.b = "1" AND NOT attributes:c', {"a": "", "b": "1", "c": ""}, False),
        ("attributes:a OR attributes:b OR attributes:c", {"c": ""}, True),
        ("attributes:a OR attributes:b", {}, False),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"b": "", "c": ""}, False),
        ("NOT (attributes:a OR attributes:b)", {"b": ""}, False),
        ("((attributes:a))", {"a": ""}, True),
        ("attributes:a\n\tAND\r attributes:b", {"a": "", "b": ""}, True),
        ('attributes.x-y_1 = "z"', {"x-y_1": "z"}, True),
        ('attributes."iana.org/language_tag" = "en"', {"iana.org/language_tag": "en"}, True),
        ('attributes:"渠道"', {"渠道": "x"}, True),
        (r'attributes.a = "say \"hi\" \\ \n"', {"a": 'say "hi" \\ \n'}, True),
        (r'attributes.a = "\x41\u4e2d\U0001F514\101"', {"a": "A中🔔A"}, True),
        ('attributes.a = "(AND) OR"', {"a": "(AND) OR"}, True),
        ('attributes.AND = "1"', {"AND": "1"}, True),
    ],
)
def test_a_filter_decides_by_the_attributes(text: str, attributes: dict[str, str], passes: bool) -> None:
    assert compile_filter(text)(attributes) is passes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("bogus(((", "character 1: expected"),
        ("attributes", 'expected "."'),
        ("attributes.", "an attribute key, found the end"),
        ("attributes.a", 'expected "!="'),
        ("attributes.a = 1", "a string in double quotes, found 1"),
        ("attributes.a = 'x'", "unexpected"),
        ('attributes.a = "x', "unexpected"),
        ('attributes.a == "x"', "a string in double quotes, found ="),
        ('attributes.a > "x"', "unexpected '>'"),
        ('attributes.a = "x" AND', "the end"),
        ('attributes.a = "x" attributes:b', "AND, OR or the end"),
        ("attributes:a AND attributes:b OR attributes:c", "parentheses"),
        ("attributes:a OR attributes:b AND attributes:c", "parentheses"),
        ("attributes:a and attributes:b", "AND, OR or the end"),
        ("(attributes:a", 'expected ")"'),
        ("attributes:a)", "AND, OR or the end"),
        ("NOT", 'expected "attributes", found the end'),
        ('hasPrefix(attributes.a "x")', 'expected ","'),
        ('hasPrefix(attributes:a, "x")', 'expected "."'),
        ('hasSuffix(attributes.a, "x")', 'expected "attributes"'),
        ('message.data = "x"', 'expected "attributes"'),
        (r'attributes.a = "\q"', "unknown escape"),
        (r'attributes.a = "\ud800"', "not a character"),
        ("attributes:" + "a" * 256, "longer than 256 bytes"),
    ],
)
def test_a_malformed_filter_is_refused_with_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(RefusedError) as refused:
        compile_filter(text)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert complaint in refused.value.message
