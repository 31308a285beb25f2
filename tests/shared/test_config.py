"""What is read from the environment, and how a wrong one is refused: by its names, never by its values."""

import pytest

from shared.config import read
from shared.db import sqlalchemy_url
from shared.errors import ConfigError

PLACE = {"DATABASE_URL": "postgresql://belfry_app@10.0.0.3:5432/belfry"}


def test_a_password_that_is_a_secret_of_its_own_reaches_the_database_as_it_is() -> None:
    password = "p@ss/w:o?r#d%20+ü"
    url = sqlalchemy_url(read({**PLACE, "DATABASE_PASSWORD": password}).database_url)
    assert (url.username, url.password, url.host, url.port) == ("belfry_app", password, "10.0.0.3", 5432)


def test_without_one_the_url_stays_as_it_is() -> None:
    assert read(PLACE).database_url == PLACE["DATABASE_URL"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({**PLACE, "DATABASE_PASSWORD": ""}, "DATABASE_PASSWORD must not be empty"),
        ({**PLACE, "DATABASE_PASSWORD": "CANARY-7f3\n"}, "DATABASE_PASSWORD begins or ends with white space"),
        ({"DATABASE_URL": "postgresql://u:CANARY-7f3@h/d", "DATABASE_PASSWORD": "x"}, "DATABASE_URL must name a user and no password"),
        ({"DATABASE_URL": "postgresql://h/d", "DATABASE_PASSWORD": "CANARY-7f3"}, "DATABASE_URL must name a user and no password"),
    ],
)
def test_a_password_that_cannot_be_right_is_refused_by_its_name(environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        read(environment)
    assert "CANARY" not in str(refused.value)
