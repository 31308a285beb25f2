"""Cases of the specification match (rulebook 6.3, 9.2 job 3). A requirement and a line are the default ones unless said."""

from dataclasses import dataclass, field
from typing import Any

TEXT = "abcdefghij"  # as a specification: each letter changed takes a tenth of the similarity


@dataclass(frozen=True)
class Case:
    """What differs from the default requirement (a text and nothing else) and line (the same text), and the answer."""

    name: str
    status: str
    score: str | None
    asked: dict[str, Any] = field(default_factory=dict)
    line: dict[str, Any] = field(default_factory=dict)
    differences: tuple[str, ...] = ()


ALL = {"brand": "THK", "model": "HSR20", "parameters": {"行程": "100mm"}}
SCORES = [
    Case("the same text is a match", "MATCHED", "100.00"),
    Case("eight of ten letters alike is no difference", "MATCHED", "80.00", line={"specification": "abcdefghXY"}),
    Case("seven of ten is one, and too little", "MISMATCHED", "70.00", line={"specification": "abcdefgXYZ"}, differences=("specification",)),
    Case("80 with a difference and REQUIRED is a match", "MATCHED", "80.00", asked=ALL | {"specification": "abcdefghij 行程100mm"},
         line={"specification": "abcdefghij 行程100mm", "brand": "THK"}, differences=("model",)),
    Case("80 with a difference and OPTIONAL is a match", "MATCHED", "80.00",
         asked=ALL | {"specification": "abcdefghij 行程100mm", "level": "OPTIONAL"},
         line={"specification": "abcdefghij 行程100mm", "brand": "THK"}, differences=("model",)),
    Case("80 with a difference and STRICT is none", "MISMATCHED", "80.00",
         asked=ALL | {"specification": "abcdefghij 行程100mm", "level": "STRICT"},
         line={"specification": "abcdefghij 行程100mm", "brand": "THK"}, differences=("model",)),
    Case("80 without a difference and STRICT is a match", "MATCHED", "80.00", asked={"level": "STRICT"}, line={"specification": "abcdefghXY"}),
    Case("a little below 80 is none", "MISMATCHED", "79.92", asked={"specification": "a" * 1245}, line={"specification": "a" * 995 + "b" * 250},
         differences=("specification",)),
    Case("50 is none", "MISMATCHED", "50.00", line={"specification": "abcdeVWXYZ"}, differences=("specification",)),
    Case("below 50 by the text alone says nothing", "UNKNOWN", "40.00", line={"specification": "abcdVWXYZU"}, differences=("specification",)),
    Case("below 50 by two looks is none", "MISMATCHED", "28.57", asked={"brand": "THK"},
         line={"specification": "abcdVWXYZU", "brand": "HIWIN"}, differences=("specification", "brand")),
    Case("below 50, and what is missing was no look", "UNKNOWN", "28.57", asked={"brand": "THK"}, line={"specification": "abcdVWXYZU"},
         differences=("specification", "brand")),
    Case("nothing to compare", "UNKNOWN", None, asked={"specification": ""}),
    Case("a line without a text", "UNKNOWN", None, line={"specification": None}),
    Case("a line with blanks for a text, though its brand fits", "UNKNOWN", "100.00", asked={"brand": "THK"},
         line={"specification": "  ", "brand": "THK"}),
    Case("a brand that is missing counts nothing and is a difference", "MISMATCHED", "71.43", asked={"brand": "THK"}, differences=("brand",)),
    Case("brand and model in another case and width are equal", "MATCHED", "100.00", asked={"brand": "ＴＨＫ", "model": "HSR 20"},
         line={"brand": "thk ", "model": "ｈｓｒ20"}),
    Case("nobody asked for the line's brand", "MATCHED", "100.00", line={"brand": "HIWIN", "model": "X"}),
    Case("width, case, blanks and units make no difference", "MATCHED", "100.00", asked={"specification": "ＨＧ20 × 100mm 0.75kW"},
         line={"specification": "hg20x10cm,750W"}),
    Case("a parameter within five percent fits", "MATCHED", "100.00",
         asked={"specification": "行程 105 mm", "parameters": {"行程": 100}}, line={"specification": "行程 105 mm"}),
    Case("a parameter beyond five percent does not", "MATCHED", "83.33",
         asked={"specification": "行程 105.1 mm", "parameters": {"行程": "100mm"}}, line={"specification": "行程 105.1 mm"}, differences=("parameters",)),
    Case("half of the parameters", "MATCHED", "91.67", asked={"specification": "电压24V 功率 1kW", "parameters": {"电压": "24V", "功率": "750W"}},
         line={"specification": "电压24V 功率 1kW"}, differences=("parameters",)),
    Case("a parameter is found by its unit where it has no name", "MATCHED", "100.00", asked={"specification": "AC 0.75kW", "parameters": {"功率": 750.0, "额定": "750W"}},
         line={"specification": "AC 0.75kW"}),
    Case("a parameter that nobody states is not compared", "MATCHED", "100.00", asked={"parameters": {"行程": "100mm"}}),
    Case("a word is a parameter too", "MATCHED", "83.33", asked={"specification": "材质:45钢", "parameters": {"材质": "Q235"}},
         line={"specification": "材质:45钢"}, differences=("parameters",)),
]  # fmt: skip

# requirement level, key material -> level of the alert
LEVELS = [
    ("REQUIRED", False, "WARNING"), ("OPTIONAL", False, "WARNING"), ("STRICT", False, "CRITICAL"), ("REQUIRED", True, "CRITICAL"),
    ("STRICT", True, "CRITICAL"),
]  # fmt: skip
