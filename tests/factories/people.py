"""Who works there, and when?"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import insert

from shared.erp import tables
from tests.factories.rows import Rows, number


class People(Rows):
    """Departments, positions, users and their roles."""

    def department(self, **columns: Any) -> int:
        return self._row(tables.departments, columns, dept_code=number("D"), dept_name="装配部")

    def position(self, **columns: Any) -> int:
        return self._row(tables.positions, columns, position_code=number("P"), position_name="工程师")

    def user(self, real_name: str = "王芳", *, roles: Iterable[str] = (), **columns: Any) -> int:
        name = number("user")
        user = self._row(tables.users, columns, username=name, real_name=real_name, email=f"{name}@example.com")
        for code in roles:
            self.role(code, users=[user])
        return user

    def role(self, role_code: str, *, users: Iterable[int] = (), **columns: Any) -> int:
        """The role of that code, made if it is missing, with these users added to it."""
        known = self.conn.execute(tables.roles.select().where(tables.roles.c.role_code == role_code)).first()
        role = known.id if known else self._row(tables.roles, columns, role_code=role_code, role_name=role_code)
        for user in users:
            self.conn.execute(insert(tables.user_roles).values(user_id=user, role_id=role))
        return role
