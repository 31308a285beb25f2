"""What does one watched instance say? The sizes of its databases, and who may log in with which privileges.

Read over a connection that instances.py opened, read-only. (rulebook W2, W4)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from shared.databases.instances import Instance, NotRead


@dataclass(frozen=True)
class Account:
    """Who may log in: privileges are scope -> what is granted there. No password, and no hash of one, is ever read."""

    username: str
    is_superuser: bool
    is_locked: bool | None
    privileges: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Accounts:
    """All accounts of an instance, and the server's version."""

    version: str
    accounts: Sequence[Account]


@dataclass(frozen=True)
class Size:
    """One database in bytes; None what the engine does not say or our account may not see."""

    database: str
    size: int | None
    data: int | None
    log: int | None = None


# ---------------------------------------------------------------- sizes
_PG_SIZES = text("""
  select datname as name, case when has_database_privilege(datname, 'CONNECT')
           or pg_has_role('pg_read_all_stats', 'MEMBER') then pg_database_size(oid) end as size
  from pg_database where datallowconn and datname <> all(cast(:system as text[])) order by 1""")
_MY_SIZES = text("""
  select s.schema_name as name, coalesce(sum(t.data_length + t.index_length), 0) as size,
    coalesce(sum(t.data_length), 0) as data
  from information_schema.schemata s left join information_schema.tables t on t.table_schema = s.schema_name
  group by s.schema_name order by 1""")


def sizes(connection: Connection, instance: Instance, system: Mapping[str, Sequence[str]]) -> list[Size]:
    """The size of every database but the engine's own (`system`: names by type). Raises NotRead when there is none."""
    left_out = list(system.get(instance.db_type, ()))
    if instance.db_type == "POSTGRESQL":
        found = [Size(r.name, r.size, r.size) for r in connection.execute(_PG_SIZES, {"system": left_out})]
    else:
        if "mariadb" not in str(connection.exec_driver_sql("select version()").scalar_one()).lower():
            # MySQL 8 shows sizes of yesterday else.
            connection.exec_driver_sql("set session information_schema_stats_expiry = 0")
        rows = connection.execute(_MY_SIZES)
        found = [Size(r.name, int(r.size), int(r.data)) for r in rows if r.name not in left_out]
    if not found:
        raise NotRead("has no database that this account can see")
    return found


# ---------------------------------------------------------------- accounts
_PG_ROLES = text("""
  select r.rolname as name, r.rolsuper as super,
    not r.rolcanlogin or coalesce(r.rolvaliduntil < now(), false) as locked,
    array_remove(array[case when r.rolsuper then 'SUPERUSER' end, case when r.rolcreaterole then 'CREATEROLE' end,
      case when r.rolcreatedb then 'CREATEDB' end, case when r.rolreplication then 'REPLICATION' end,
      case when r.rolbypassrls then 'BYPASSRLS' end, case when r.rolcanlogin then 'LOGIN' end], null) as attributes,
    array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid
          order by 1) as groups
  from pg_roles r where not starts_with(r.rolname, 'pg_') order by 1""")
_PG_GRANTS = text("""
  select g.rolname as name, d.datname as scope, a.privilege_type as privilege
  from pg_database d cross join aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  join pg_roles g on g.oid = a.grantee where d.datallowconn""")
_MY_USERS = {
    "mariadb": """
      select u.User as user, u.Host as host,
        coalesce(json_value(g.Priv, '$.account_locked') in ('true', '1'), false) as locked
      from mysql.user u left join mysql.global_priv g on g.User = u.User and g.Host = u.Host""",
    "mysql": "select User as user, Host as host, account_locked = 'Y' as locked from mysql.user",
}
_MY_ROLES = {
    "mariadb": "select User as user, Host as host, Role as role from mysql.roles_mapping",
    "mysql": "select TO_USER as user, TO_HOST as host, FROM_USER as role from mysql.role_edges",
}
_MY_GRANTS = """
  select grantee, '*' as scope, privilege_type as privilege, is_grantable from information_schema.user_privileges
  union all select grantee, table_schema, privilege_type, is_grantable from information_schema.schema_privileges"""
_MY_SYSTEM = {"mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"}


def accounts(connection: Connection, instance: Instance) -> Accounts:
    """Every account of an instance with what it may do. Raises NotRead when there is none: our own is one."""
    found = _postgres_accounts(connection) if instance.db_type == "POSTGRESQL" else _mysql_accounts(connection)
    if not found.accounts:
        raise NotRead("shows no account at all, not even ours")
    return found


def _postgres_accounts(connection: Connection) -> Accounts:
    version = str(connection.exec_driver_sql("show server_version").scalar_one())
    roles = connection.execute(_PG_ROLES).all()
    held: dict[str, dict[str, list[str]]] = {r.name: {"*": list(r.attributes), "role": list(r.groups)} for r in roles}
    for grant in connection.execute(_PG_GRANTS):
        if grant.name in held:
            held[grant.name].setdefault(f"database {grant.scope}", []).append(grant.privilege)
    return Accounts(version, [Account(r.name, r.super, r.locked, _sorted(held[r.name])) for r in roles])


def _mysql_accounts(connection: Connection) -> Accounts:
    version = str(connection.exec_driver_sql("select version()").scalar_one())
    kind = "mariadb" if "mariadb" in version.lower() else "mysql"
    held: dict[str, dict[str, list[str]]] = {}
    for grantee, scope, privilege, grantable in connection.exec_driver_sql(_MY_GRANTS):
        place = held.setdefault(grantee, {}).setdefault("*" if scope == "*" else f"database {scope}", [])
        place += [] if privilege == "USAGE" else [privilege]
        place += ["GRANT OPTION"] if grantable == "YES" else []
    for user, host, role in connection.exec_driver_sql(_MY_ROLES[kind]):
        held.setdefault(f"'{user}'@'{host}'", {}).setdefault("role", []).append(role)
    found = []
    for user, host, locked in connection.exec_driver_sql(_MY_USERS[kind]):
        if user in _MY_SYSTEM:
            continue
        privileges = _sorted(held.get(f"'{user}'@'{host}'", {}))
        is_locked = None if locked is None else bool(locked)
        found.append(Account(f"{user}@{host}", "SUPER" in privileges.get("*", ()), is_locked, privileges))
    return Accounts(version, sorted(found, key=lambda account: account.username))


def _sorted(privileges: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {scope: sorted(set(held)) for scope, held in sorted(privileges.items()) if held}
