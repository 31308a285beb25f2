"""No small mistake in a .tf file gets past terraform with the stand-in.

`validate` notices nearly all; the values of a `for_each` it does not know yet, so what only they show, `plan` notices.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle as around
from pathlib import Path

from tests.infra.terraform.configuration import ROOT, copied, package, variables
from tests.infra.terraform.mutants import Mutant, mutants
from tests.infra.terraform.workspace import Workspace

KINDS = ("another argument", "another block", "another reference", "another type", "without a required argument")


def _sample(made: Sequence[Mutant]) -> list[Mutant]:
    """One of each file, the kinds taking turns, from the middle of its places."""
    turns, chosen = around(KINDS), []
    for path in sorted({mutant.path for mutant in made}):
        of_file = [mutant for mutant in made if mutant.path == path]
        kind = next(kind for kind in turns if any(mutant.kind == kind for mutant in of_file))
        of_kind = [mutant for mutant in of_file if mutant.kind == kind]
        chosen.append(of_kind[len(of_kind) // 2])
    return chosen


def _can_be_planned(work: Workspace) -> bool:
    return work.terraform("plan", *variables("prod"), expect=(0, 1)).returncode == 0


def test_every_tf_file_has_places_for_mistakes_and_every_kind_of_mistake_is_made() -> None:
    made = mutants(ROOT / "infra")
    assert {mutant.path for mutant in made} == {
        path.relative_to(ROOT / "infra") for path in (ROOT / "infra").rglob("*.tf") if ".terraform" not in path.parts
    }
    assert {mutant.kind for mutant in made} == set(KINDS)
    assert len({mutant.path for mutant in _sample(made)}) >= 20


def test_a_mistake_in_any_tf_file_is_noticed() -> None:
    with copied() as work:
        work.terraform("init")
        package(work)
        made = mutants(work.folder)
        unnoticed = []
        for mutant in made if os.environ.get("BELFRY_FULL_SWEEP") else _sample(made):
            with mutant.made(work.folder):
                if not work.complaints() and _can_be_planned(work):
                    unnoticed.append(str(mutant))
        assert unnoticed == []
        assert work.complaints() == []


def test_a_mutant_leaves_its_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text('resource "google_pubsub_topic" "a" {\n  name = var.a\n}\n', "utf-8")
    before = (tmp_path / "a.tf").read_text("utf-8")
    made = mutants(tmp_path)
    assert [str(mutant) for mutant in made] == [
        'a.tf:1 another type: resource "google_pubsub_topicx" "a" {',
        "a.tf:2 another argument: namex = var.a",
        "a.tf:2 without a required argument: ",
        "a.tf:2 another reference: name = var.ax",
    ]
    with made[0].made(tmp_path):
        assert (tmp_path / "a.tf").read_text("utf-8") != before
    assert (tmp_path / "a.tf").read_text("utf-8") == before
