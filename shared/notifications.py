"""Tell something that is not an alert: what a body hands over becomes notifications, each key once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Select, column, text

from shared.run import Run

_REQUIRED = {"dedupe_key", "recipients", "severity", "facts"}
_OPTIONAL = {
    "alert_id": "bigint",
    "channels": "text[]",
    "not_before": "timestamptz",
    "not_after": "timestamptz",
    "project_id": "bigint",
    "reason": "text",
}


def notify(run: Run, type_: str, messages: Select[Any]) -> None:
    """Tell something that is not an alert, once per dedupe_key whatever runs again.

    `messages` selects dedupe_key, recipients text[] (tokens), severity, facts jsonb, and optionally alert_id,
    not_before, not_after (instants; 24 h for INFO and WARNING, 72 h above unless given), project_id, reason, and
    channels text[] (a report's own, `{system,email}`, instead of those that its severity asks for).
    """
    names = {c.key for c in messages.selected_columns}
    if not names >= _REQUIRED or names - _REQUIRED - set(_OPTIONAL):
        raise TypeError(
            f"messages must select {sorted(_REQUIRED)} and may {sorted(_OPTIONAL)}: {sorted(map(str, names))}"
        )
    given = {name: f"m.{name}" if name in names else f"cast(null as {kind})" for name, kind in _OPTIONAL.items()}
    # Known keys are looked up once, as a whole: joined row by row, a table that statistics call empty is read as often.
    written = (
        text(f"""
        insert into belfry.notifications (dedupe_key, alert_id, type, reason, severity, recipients, channels, facts,
          project_id, not_before, not_after, execution_id, fanned_out)
        select m.dedupe_key, {given["alert_id"]}, cast(:type as text), coalesce({given["reason"]}, 'REMINDER'),
               m.severity, coalesce(array_remove(m.recipients, null), '{{}}'), {given["channels"]}, m.facts,
               {given["project_id"]}, {given["not_before"]},
               coalesce({given["not_after"]}, greatest(cast(:now as timestamptz), belfry.clock(), {given["not_before"]})
                 + case when belfry.level_rank(m.severity) >= 3 then interval '72 hours' else interval '24 hours' end),
               cast(:execution as uuid), true
        from message m
        where m.dedupe_key <> all (array(select n.dedupe_key from belfry.notifications n
                                         where n.dedupe_key = any (array(select x.dedupe_key from message x))))
        on conflict (dedupe_key) do nothing
        returning id""")  # noqa: S608  names from a fixed table, no values
        .columns(column("id"))
        .cte("written")
    )
    statement = (
        text("select count(*)::int as told, min(id) as first from written")
        .columns(column("told", Integer), column("first", BigInteger))
        .add_cte(messages.cte("message"), written)
    )
    told, first = run.db.execute(statement, {"type": type_, "now": run.now, "execution": run.id}).one()
    run.count(notified=told)
    if told:
        run.wants_fan_out(first)
