"""No small mistake in a .tf file gets past `terraform validate` with the stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import cycle as around
from pathlib import Path

import pytest

from tests.infra.terraform.configuration import copied
from tests.infra.terraform.mutants import Mutant, mutants
from tests.infra.terraform.workspace import Workspace

KINDS = ("another argument", "another block", "another reference", "another type", "without a required argument")


@pytest.fixture(scope="module")
def work() -> Iterator[Workspace]:
    with copied() as work:
        work.terraform("init")
        yield work


def _sample(made: Sequence[Mutant]) -> list[Mutant]:
    """One of each file, the kinds taking turns, from the middle of its places."""
    turns, chosen = around(KINDS), []
    for path in sorted({mutant.path for mutant in made}):
        of_file = [mutant for mutant in made if mutant.path == path]
        kind = next(kind for kind in turns if any(mutant.kind == kind for mutant in of_file))
        of_kind = [mutant for mutant in of_file if mutant.kind == kind]
        chosen.append(of_kind[len(of_kind) // 2])
    return chosen


def test_every_tf_file_has_places_for_mistakes_of_every_kind_that_fits(work: Workspace) -> None:
    made = mutants(work.folder)
    assert {mutant.path for mutant in made} == {
        path.relative_to(work.folder) for path in work.folder.rglob("*.tf") if path.name != "backend_override.tf"
    }
    assert {mutant.kind for mutant in made} == set(KINDS)
    assert len(_sample(made)) >= 20


def test_a_mistake_anywhere_is_noticed(work: Workspace) -> None:
    made = mutants(work.folder)
    unnoticed = []
    for mutant in made if os.environ.get("BELFRY_FULL_SWEEP") else _sample(made):
        with mutant.made(work.folder):
            if not work.complaints():
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
