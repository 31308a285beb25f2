"""The extractor reads names, types, flags and nesting out of generated classes."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from tests.infra.terraform import extract

# The shape of the package's generated classes, for a resource of our own.
CLASSES = """
function bellStrikerToHclTerraform(struct) {
    const attrs = {
        weight: {
            value: cdktn.numberToHclTerraform(struct.weight),
            isBlock: false,
            type: "simple",
            storageClassType: "number",
        },
    };
}
class BellStrikerOutputReference extends cdktn.ComplexObject {
    // weight - computed: false, optional: false, required: true
    _weight;
    get weight() {
        return this.getNumberAttribute('weight');
    }
    // worn - computed: true, optional: false, required: false
    get worn() {
        return this.getBooleanAttribute('worn');
    }
}
function bellRopeToHclTerraform(struct) {
    const attrs = {
    };
}
class BellRopeOutputReference extends cdktn.ComplexObject {
}
class BellPealsOutputReference extends cdktn.ComplexObject {
    // at - computed: true, optional: false, required: false
    get at() {
        return this.getStringAttribute('at');
    }
    // changes - computed: true, optional: false, required: false
    get changes() {
        return cdktn.Fn.tolist(this.getListAttribute('changes'));
    }
}
class Bell extends cdktn.TerraformResource {
    static tfResourceType = "google_bell";
    // name - computed: false, optional: false, required: true
    _name;
    get name() {
        return this.getStringAttribute('name');
    }
    // tags - computed: true, optional: true, required: false
    _tags;
    get tags() {
        return this.getStringMapAttribute('tags');
    }
    // peals - computed: true, optional: false, required: false
    _peals = new BellPealsList(this, "peals", false);
    get peals() {
        return this._peals;
    }
    // rope - computed: false, optional: true, required: false
    _rope = new BellRopeList(this, "rope", true);
    // striker - computed: false, optional: false, required: true
    _striker = new BellStrikerOutputReference(this, "striker");
    synthesizeHclAttributes() {
        const attrs = {
            name: {
                value: cdktn.stringToHclTerraform(this._name),
                isBlock: false,
                type: "simple",
                storageClassType: "string",
            },
            tags: {
                value: cdktn.hashMapperHcl(cdktn.stringToHclTerraform)(this._tags),
                isBlock: false,
                type: "map",
                storageClassType: "stringMap",
            },
            rope: {
                value: cdktn.listMapperHcl(bellRopeToHclTerraform, true)(this._rope.internalValue),
                isBlock: true,
                type: "set",
                storageClassType: "BellRopeList",
            },
            striker: {
                value: bellStrikerToHclTerraform(this._striker.internalValue),
                isBlock: true,
                type: "list",
                storageClassType: "BellStrikerList",
            },
        };
    }
}
"""
PROVIDER = 'class GoogleProvider extends cdktn.TerraformProvider {\n    static tfResourceType = "google";\n}\n'


def _wheel(path: Path, sources: dict[str, str]) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as inner:
        for folder, text in sources.items():
            member = tarfile.TarInfo(f"package/lib/{folder}/index.js")
            member.size = len(text.encode())
            inner.addfile(member, io.BytesIO(text.encode()))
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("cdktn_provider_google/_jsii/provider-google@0.jsii.tgz", packed.getvalue())
    return path


def test_attributes_blocks_flags_and_nesting_come_out_as_terraform_has_them(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path / "a.whl", {"bell": CLASSES, "provider": PROVIDER})
    assert extract.extract(wheel, {"google_bell"}, set()) == {
        "provider": {"google": {"attributes": {}, "blocks": {}}},
        "resources": {
            "google_bell": {
                "attributes": {
                    "name": ["required", "string"],
                    "tags": ["optional computed", ["map", "string"]],
                    "peals": ["computed", ["list", ["object", {"at": "string", "changes": ["set", "string"]}]]],
                },
                "blocks": {
                    "rope": ["set", False, False, {"attributes": {}, "blocks": {}}],
                    "striker": [
                        "list",
                        True,
                        True,
                        {"attributes": {"weight": ["required", "number"], "worn": ["computed", "bool"]}, "blocks": {}},
                    ],
                },
            }
        },
        "data_sources": {},
    }


def test_the_schema_holds_the_types_that_our_configuration_names_and_no_other() -> None:
    schema = json.loads(extract.SCHEMA.read_text("utf-8"))
    anew = f"a type came or went: {(extract.__doc__ or '').splitlines()[2].strip()}"
    assert (set(schema["resources"]), set(schema["data_sources"])) == extract.named(), anew
