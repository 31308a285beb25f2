"""How are an instance's accounts kept, and which of them is a superuser that was none? (rulebook W2)"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Numeric, Select, Text, TextClause, and_, func, literal, select, text

from shared.databases.tables import db_account_changes, db_instance_accounts, db_instances
from shared.erp.facts import facts

_account, _change, _instance = db_instance_accounts.c, db_account_changes.c, db_instances.c

# shared.rules.accounts.change and is_alarming over a whole instance: what is seen, what was known, and what is gone.
_MERGE = """
  with seen as (
    select * from jsonb_to_recordset(cast(:accounts as jsonb))
      as s (username text, is_superuser boolean, is_locked boolean, privileges jsonb, privileges_hash text)),
  known as (select * from belfry.db_instance_accounts where instance_id = :instance),
  first_look as (select not exists (select from known) as it_is),
  judged as (
    select s.*, k.id, k.is_superuser as was_superuser, k.is_locked as was_locked, k.privileges as had,
      s.is_superuser and not coalesce(k.is_active and k.is_superuser, false) and not f.it_is as alarming,
      case when k.id is null then 'ADD' when not k.is_active then 'REACTIVATE'
           when (k.is_superuser, k.privileges_hash) is distinct from (s.is_superuser, s.privileges_hash)
             then 'MODIFY_PRIVILEGE'
           when k.is_locked is distinct from s.is_locked then 'MODIFY_OTHER' end as change
    from seen s left join known k using (username) cross join first_look f),
  added as (
    insert into belfry.db_instance_accounts (instance_id, username, is_superuser, is_locked, privileges,
      privileges_hash, first_seen_at, last_seen_at, last_change_type)
    select :instance, username, is_superuser, is_locked, privileges, privileges_hash, :now, :now, 'ADD'
    from judged where id is null),
  refreshed as (
    update belfry.db_instance_accounts a set is_superuser = j.is_superuser, is_locked = j.is_locked,
      privileges = j.privileges, privileges_hash = j.privileges_hash, is_active = true, deleted_at = null,
      last_seen_at = :now, last_change_type = coalesce(j.change, a.last_change_type)
    from judged j where a.id = j.id),
  gone as (
    update belfry.db_instance_accounts a set is_active = false, deleted_at = :now, last_change_type = 'DEACTIVATE'
    where a.instance_id = :instance and a.is_active and not exists (select from seen s where s.username = a.username)
    returning a.username, a.is_superuser),
  logged as (
    insert into belfry.db_account_changes (instance_id, username, change_type, diff, run_id, changed_at)
    select :instance, username, change,
      jsonb_strip_nulls(jsonb_build_object(
        'granted', belfry.privileges_beyond(privileges, coalesce(had, '{}')),
        'revoked', belfry.privileges_beyond(coalesce(had, '{}'), privileges),
        'is_superuser', is_superuser, 'was_superuser', was_superuser, 'is_locked', is_locked, 'was_locked', was_locked,
        'alarming', case when alarming then true end)),
      cast(:run as uuid), :now
    from judged where change is not null
    union all
    select :instance, username, 'DEACTIVATE', jsonb_build_object('was_superuser', is_superuser), cast(:run as uuid),
      :now
    from gone
    returning change_type)
  select (select count(*) from seen)::int as checked,
    (select count(*) from logged where change_type = 'ADD')::int as created,
    (select count(*) from logged where change_type like 'MODIFY%')::int as updated,
    (select count(*) from logged where change_type = 'REACTIVATE')::int as reactivated,
    (select count(*) from gone)::int as deactivated"""


def merge(instance: int, accounts: Sequence[Mapping[str, Any]], now: datetime, run_id: str) -> TextClause:
    """Make an instance's accounts these and log what changed; answers how many of each change."""
    return text(_MERGE).bindparams(instance=instance, accounts=json.dumps(accounts), now=now, run=run_id)


def version(instance: int, said: str) -> TextClause:
    """Note which version of its server an instance runs."""
    return text(
        "update belfry.db_instances set main_version = :said where id = :id and main_version is distinct from :said"
    ).bindparams(id=instance, said=said)


def alarming(instance: int, run_id: str) -> Select[Any]:
    """Accounts of an instance that this run found to be superusers and that were none, as violations."""
    about = {
        "instance": _instance.name, "db_type": _instance.db_type, "username": _account.username,
        "change_type": _change.change_type, "granted": _change.diff["granted"], "changed_at": _change.changed_at,
    }
    nothing = literal(None, Numeric)
    columns: tuple[Any, ...] = (
        _account.id.label("target_id"), func.concat(_instance.name, "/", _account.username).label("target_no"),
        _account.username.label("target_name"), literal(None, BigInteger).label("project_id"),
        literal("CRITICAL", Text).label("level"), literal(["ROLE:DBA"], ARRAY(Text)).label("recipients"),
        facts(about).label("facts"), nothing.label("trigger_value"), nothing.label("threshold_value"),
    )
    same = and_(_account.instance_id == _change.instance_id, _account.username == _change.username)
    return select(*columns).join_from(db_account_changes, db_instance_accounts, same).join(
        db_instances, _instance.id == _change.instance_id
    ).where(_change.run_id == run_id, _change.instance_id == instance, _change.diff.has_key("alarming"))


def harmless(instance: int) -> Select[Any]:
    """Accounts of an instance that are no superusers, or are gone: their alerts end.

    The alert of one that still is stays until somebody has handled it.
    """
    return select(_account.id.label("target_id")).where(
        _account.instance_id == instance, ~and_(_account.is_active, _account.is_superuser)
    )
