"""Who are the people of the company, and what may they do here?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

# Unread among the newest 500 messages: the badge says 99+ anyway, and an old inbox must not make every page slow.
_FOUND = text("""
  select u.id, u.username, u.real_name, u.email, u.language, u.time_zone, u.is_superuser,
    array(select r.role_code from erp.user_roles ur join erp.roles r on r.id = ur.role_id
          where ur.user_id = u.id and r.is_active order by 1) as roles,
    array(select distinct p from erp.user_roles ur join erp.roles r on r.id = ur.role_id
          cross join unnest(r.permissions) p where ur.user_id = u.id and r.is_active) as permissions,
    array(select x.id from erp.users x left join erp.departments d on d.id = x.department_id
          where coalesce(x.manager_id, d.manager_user_id) = u.id) as reports,
    (select count(*) from (
       select d.read_at from belfry.notification_deliveries d
       where d.user_id = u.id and d.channel = 'system' and d.state in ('sent', 'delivered')
       order by d.id desc limit 500) newest
     where read_at is null)::int as unread
  from erp.users u
  where u.is_active and (u.id = :id or lower(u.email) = lower(:email))
  order by u.id limit 1""")
# Those who show what the roles can do come first, then everybody in the order of the departments.
_SIGN_IN = text("""select u.id, u.username, u.real_name, u.language, d.dept_name, p.position_name,
    array(select r.role_name from erp.user_roles ur join erp.roles r on r.id = ur.role_id
          where ur.user_id = u.id and r.is_active order by r.role_code) as roles
  from erp.users u left join erp.departments d on d.id = u.department_id
  left join erp.positions p on p.id = u.position_id
  where u.is_active and (cast(:username as text) is null or u.username = :username)
  order by array_position(array['viewer', 'owner', 'admin'], u.username) nulls last, u.department_id, u.id limit 200""")
_NAMES = text("select id, coalesce(real_name, username) as name from erp.users where id = any(cast(:ids as bigint[]))")


@dataclass(frozen=True)
class Found:
    """One active person with everything that decides what they see."""

    id: int
    username: str
    real_name: str | None
    email: str | None
    language: str
    time_zone: str
    is_superuser: bool
    roles: list[str]
    permissions: list[str]
    reports: list[int]
    unread: int


@dataclass(frozen=True)
class Candidate:
    """A line of the sign-in page."""

    id: int
    username: str
    real_name: str | None
    language: str
    dept_name: str | None
    position_name: str | None
    roles: list[str]


def by_id(db: Connection, user_id: int) -> Found | None:
    row = db.execute(_FOUND, {"id": user_id, "email": None}).one_or_none()
    return Found(*row) if row else None


def by_email(db: Connection, email: str) -> Found | None:
    row = db.execute(_FOUND, {"id": None, "email": email}).one_or_none()
    return Found(*row) if row else None


def candidates(db: Connection, username: str | None = None) -> list[Candidate]:
    """Whom one may sign in as, where nobody checks who is sitting there."""
    return [Candidate(*row) for row in db.execute(_SIGN_IN, {"username": username})]


def names(db: Connection, ids: set[int]) -> dict[int, str]:
    """Names of these people, in one statement."""
    return {row.id: row.name for row in db.execute(_NAMES, {"ids": sorted(ids)})} if ids else {}
