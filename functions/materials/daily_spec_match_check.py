"""Specification match: purchase and BOM lines that are not what their project's contract asks for."""

import hashlib
from collections import defaultdict
from typing import Any

from shared.alerts import raise_alerts
from shared.erp import spec_lines, spec_matches
from shared.jobs import Run, job
from shared.rules.spec_match import Limits, Line, Requirement, best


@job
def daily_spec_match_check(run: Run) -> None:
    """Judge the lines that have changed, keep the answers, alert buyer, project manager and quality on mismatches."""
    limits = Limits(**run.params)
    counted = run.db.execute(spec_lines.counted()).one()
    kept = run.db.execute(spec_matches.keep(_judged(run, limits), run.now, run.id)).one()
    run.count(
        checked=counted.lines,
        without_material=counted.without_material,
        projects_without_requirements=counted.silent,
        rechecked=kept.matched + kept.mismatched + kept.unknown,
        matched=kept.matched,
        mismatched=kept.mismatched,
        unknown=run.db.execute(spec_matches.unknown()).scalar_one(),
        dropped=kept.dropped,
    )
    run.items_failed(spec_lines.unjudgeable())

    wrong, scanned, present = spec_matches.mismatched(limits.threshold), spec_lines.judged(), spec_lines.present()
    raise_alerts(run, "SPEC_MISMATCH", wrong, scanned=scanned, present=present)


def _judged(run: Run, limits: Limits) -> list[dict[str, Any]]:
    """The answer for every line that has changed, or whose requirements or limits have; no requirement: none."""
    changed = run.db.execute(spec_lines.changed(repr(limits))).all()
    asked, hashes = defaultdict[int, list[Requirement]](list), dict[int, str]()
    for row in run.db.execute(spec_lines.requirements(sorted({line.project_id for line in changed}))):
        known = {n: v for n, v in row._mapping.items() if n not in ("project_id", "hash")}
        asked[row.project_id].append(Requirement(**known))
        hashes[row.id] = row.hash
    found = []
    for number, row in enumerate(changed):
        if number % 1000 == 0:
            run.check()
        line = Line(row.code, row.name, row.specification, row.brand, row.model)
        match = best(line, asked[row.project_id], limits)
        answer = {"match_type": row.match_type, "line_id": row.line_id, "project_id": row.project_id}
        if match:
            both = f"{row.line_hash}{hashes[match.requirement.id]}".encode()
            answer |= {
                "requirement_id": match.requirement.id,
                "status": match.status,
                "score": match.score,
                "differences": match.differences,
                "input_hash": hashlib.sha256(both).hexdigest(),
                "candidates_hash": row.candidates_hash,
            }
        found.append(answer)
    return found
