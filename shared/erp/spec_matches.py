"""What is kept of a line's match, and which mismatches are told? (rulebook job 3)"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, case, column, func, literal, null, or_, select, text
from sqlalchemy.dialects.postgresql import array

from shared.erp import spec_lines
from shared.erp.alert_tables import alert_records
from shared.erp.facts import facts
from shared.erp.side_tables import spec_match_records as records
from shared.erp.tables import projects, spec_requirements

_record, _asked, _project, _alert = records.c, spec_requirements.c, projects.c, alert_records.c

# Of a line only its best requirement is kept; one that has none any more has no row.
_KEEP = """
with given as (
  select * from jsonb_to_recordset(cast(:found as jsonb)) as g (match_type text, line_id bigint, project_id bigint,
    requirement_id bigint, status text, score numeric, differences jsonb, input_hash text, candidates_hash text)),
dropped as (
  delete from belfry.spec_match_records r using given g
  where r.match_type = g.match_type and r.match_target_id = g.line_id
    and r.requirement_id is distinct from g.requirement_id
  returning r.id),
kept as (
  insert into belfry.spec_match_records (project_id, requirement_id, match_type, match_target_id, match_status,
    match_score, differences, input_hash, candidates_hash, checked_at, execution_id)
  select project_id, requirement_id, match_type, line_id, status, score, differences, input_hash, candidates_hash,
         cast(:now as timestamptz), cast(:execution as uuid)
  from given where requirement_id is not null
  on conflict (match_type, match_target_id, requirement_id) do update set
    project_id = excluded.project_id, match_status = excluded.match_status, match_score = excluded.match_score,
    differences = excluded.differences, input_hash = excluded.input_hash, candidates_hash = excluded.candidates_hash,
    checked_at = excluded.checked_at, execution_id = excluded.execution_id
  returning match_status)
select count(*) filter (where match_status = 'MATCHED')::int as matched,
       count(*) filter (where match_status = 'MISMATCHED')::int as mismatched,
       count(*) filter (where match_status = 'UNKNOWN')::int as unknown,
       (select count(*) from dropped)::int as dropped
from kept
"""


def keep(found: Iterable[Mapping[str, Any]], now: datetime, execution: str) -> Any:
    """Keep these answers; answers how many of each status, and how many rows of other requirements went."""
    given = json.dumps(list(found), ensure_ascii=False, default=str)
    names = ("matched", "mismatched", "unknown", "dropped")
    return text(_KEEP).columns(*(column(name, Integer) for name in names)).bindparams(
        found=given, now=now, execution=execution
    )


def level(requirement_level: Any, is_key: Any) -> Any:
    """shared.rules.spec_match.mismatch_level as an expression."""
    strict = or_(requirement_level == "STRICT", func.coalesce(is_key, False))
    return case((strict, literal("CRITICAL", Text)), else_="WARNING")


def mismatched(threshold: int) -> Select[Any]:
    """Lines that do not match; a deviation that somebody approved holds until the line or its requirement changes."""
    line = spec_lines.lines().cte("spec_mismatch_lines").c
    target = case(spec_lines.TARGETS, value=_record.match_type)
    of_line = and_(_alert.target_type == target, _alert.target_id == _record.match_target_id)
    approved = and_(of_line, _alert.status == "IGNORED", func.btrim(func.coalesce(_alert.handle_result, "")) != "")
    same_input = _alert.facts["input_hash"].astext == _record.input_hash
    # An approval of what the line was before neither mutes nor joins what it is now: that is another alert.
    other = select(_alert.id).where(approved, ~same_input).exists()
    told = {
        "kind": _record.match_type, "line_no": line.line_no, "material_code": line.code, "material_name": line.name,
        "project_code": _project.project_code, "project_name": _project.project_name,
        "score": func.trim_scale(_record.match_score), "threshold": threshold,
        "requirement_level": _asked.requirement_level, "is_key": line.is_key,
        "required": _asked.specification, "actual": line.specification, "differences": _record.differences,
        "input_hash": _record.input_hash,
    }
    return select(
        target.label("target_type"), _record.match_target_id.label("target_id"), line.line_no.label("target_no"),
        line.name.label("target_name"), _record.project_id,
        level(_asked.requirement_level, line.is_key).label("level"), array([line.person]).label("recipients"),
        facts(told).label("facts"), _record.match_score.label("trigger_value"),
        literal(threshold).label("threshold_value"),
        case((other, _record.input_hash), else_=null()).label("discriminator"),
    ).join_from(
        records, line.line_id.table,
        and_(line.match_type == _record.match_type, line.line_id == _record.match_target_id),
    ).join(spec_requirements, _asked.id == _record.requirement_id).join(
        projects, _project.id == _record.project_id
    ).where(
        _record.match_status == "MISMATCHED", line.project_id == _record.project_id,
        ~select(_alert.id).where(approved, same_input).exists(),
    )


def unknown() -> Select[Any]:
    """How many lines of today's scope say too little to be judged."""
    line = spec_lines.lines().cte("spec_unknown_lines").c
    return select(func.count().label("unknown")).join_from(
        records, line.line_id.table,
        and_(line.match_type == _record.match_type, line.line_id == _record.match_target_id),
    ).where(_record.match_status == "UNKNOWN")
