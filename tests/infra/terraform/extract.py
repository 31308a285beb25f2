"""Makes schema.json anew: names, types, flags and nesting of the google provider's resources, read from a PyPI wheel.

    pip download --no-deps cdktn-provider-google==21.1.0 && python -m tests.infra.terraform.extract *.whl

The wheel (MPL-2.0, "Copyright (c) HashiCorp, Inc.") holds classes generated from the schema of hashicorp/google 8.7.0.
Only facts are taken: no text and no code of it is kept. What the classes do not say is not in the result: allowed
values, lengths of lists other than "one" and "any", what forces replacement, what is sensitive.

A class's remark `// name - computed: .., optional: .., required: ..` gives the flags; the table of its
`...ToHclTerraform` function the type and whether it is a block; its getters the types of what only the cloud sets.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("schema.json")
ROOT = Path(__file__).resolve().parents[3]

_CLASS = re.compile(r"^class (\w+) extends [\w.]+ \{$(.*?)^\}$", re.M | re.S)
_TABLE = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$(.*?)^\}$", re.M | re.S)
_ROW = re.compile(r"(\w+): \{\s+value: .*,\s+isBlock: (true|false),\s+type: \"(\w+)\",\s+storageClassType: \"(\w+)\",")
_MEMBER = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(.*?)(?=\n    // \w+ - |\Z)",
    re.S,
)
_CHILD = re.compile(r"= new (\w+?)(OutputReference|List|Map)\(this, \"\w+\"(?:, (true|false))?\)")
_PRIMITIVE = {"string": "string", "number": "number", "boolean": "bool"}


def named() -> tuple[set[str], set[str]]:
    """The resource and data source types that a .tf file of ours names, or the stand-in's own test."""
    types: dict[str, set[str]] = {"resource": set(), "data": set()}
    for path in (*(ROOT / "infra").rglob("*.tf"), Path(__file__).with_name("test_stand_in.py")):
        for kind, name in re.findall(r'^(resource|data) "(google_\w+)"', path.read_text("utf-8"), re.M):
            types[kind].add(name)
    return types["resource"], types["data"]


def extract(wheel: Path, resources: set[str], data_sources: set[str]) -> dict[str, Any]:
    """{"provider": {"google": block}, "resources": {type: block}, "data_sources": {type: block}}.

    A block is {"attributes": {name: [flags, type]}, "blocks": {name: [nesting, required, at most one, block]}}; types
    are in Terraform's JSON form.
    """
    with zipfile.ZipFile(wheel) as outer:
        (packed,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(packed))) as inner:
            sources = {
                member.name.split("/")[2]: member
                for member in inner
                if re.fullmatch(r".*/lib/[\w-]+/index\.js", member.name)
            }

            def block(folder: str) -> dict[str, Any]:
                stream = inner.extractfile(sources[folder])
                assert stream is not None
                return _Module(stream.read().decode()).main()

            return {
                "provider": {"google": block("provider")},
                "resources": {name: block(_folder(name.removeprefix("google_"))) for name in resources},
                "data_sources": {name: block(_folder("data_" + name)) for name in data_sources},
            }


def _folder(name: str) -> str:
    return name.replace("_", "-")


class _Module:
    """One resource's generated classes."""

    def __init__(self, text: str) -> None:
        self.classes = dict(_CLASS.findall(text))
        self.tables = {name.lower(): body for name, body in _TABLE.findall(text)}

    def main(self) -> dict[str, Any]:
        (body,) = (body for body in self.classes.values() if "static tfResourceType" in body)
        return self._block(body, body)

    def _block(self, body: str, table: str) -> dict[str, Any]:
        rows = {name: rest for name, *rest in _ROW.findall(table)}
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, computed, optional, required, code in _MEMBER.findall(body):
            is_block, kind, storage = rows.get(name, ("false", "", ""))
            if is_block == "true":
                if not _CHILD.search(code):
                    continue  # the provider's own two blocks (batching, external_credentials) have no class to read
                nesting = "single" if kind == "struct" else kind
                one = "OutputReference(this" in code
                blocks[name] = [nesting, required == "true", one, self._nested(code)]
            else:
                flags = [("required", required), ("optional", optional), ("computed", computed)]
                attributes[name] = [
                    " ".join(flag for flag, on in flags if on == "true"),
                    self._type(code, kind, storage),
                ]
        return {"attributes": attributes, "blocks": blocks}

    def _nested(self, code: str) -> dict[str, Any]:
        found = _CHILD.search(code)
        assert found is not None, code
        name = found[1]
        return self._block(self.classes[f"{name}OutputReference"], self.tables[name.lower()])

    def _type(self, code: str, kind: str, storage: str) -> Any:
        if kind == "simple":
            return _PRIMITIVE[storage]
        if kind in ("list", "set", "map") and storage.endswith(("List", "Map")) and storage[0].islower():
            return [kind, _PRIMITIVE[storage.removesuffix("List").removesuffix("Map")]]
        if found := re.search(r"this\.get(String|Number|Boolean)Attribute\(", code):
            return _PRIMITIVE[found[1].lower()]
        if re.search(r"get(String)?MapAttribute\(|new cdktn\.StringMap\(", code):
            return ["map", "string"]
        if found := re.search(r"(tolist\()?this\.get(Number)?ListAttribute\(", code):
            return ["set" if found[1] else "list", "number" if found[2] else "string"]
        found = _CHILD.search(code)
        assert found is not None, code
        return ["set" if found[3] == "true" else "list", self._object(found[1])]

    def _object(self, name: str) -> Any:
        members = _MEMBER.findall(self.classes[f"{name}OutputReference"])
        return ["object", {member: self._type(code, "", "") for member, *_, code in members}]


def main(wheel: str) -> None:
    schema = extract(Path(wheel), *named())
    # One line a type: a diff shows which resource moved.
    lines = [
        f'"{part}": {{\n'
        + ",\n".join(
            f"{json.dumps(name)}: {json.dumps(block, sort_keys=True, separators=(',', ':'))}"
            for name, block in sorted(schema[part].items())
        )
        + "\n}"
        for part in sorted(schema)
    ]
    SCHEMA.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
