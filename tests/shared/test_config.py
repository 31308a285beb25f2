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


CLOUD = {**PLACE, "K_SERVICE": "check-overdue-issues", "BELFRY_CALLERS": "a@b.example", "GOOGLE_CLOUD_PROJECT": "p",
         "BELFRY_AUDIENCE": "https://a.run.app"}  # fmt: skip
EMAIL = {"EMAIL_ENABLED": "true", "EMAIL_SMTP_SERVER": "smtp.example.com", "EMAIL_FROM": "belfry@example.com"}
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=CANARY-7f3"


@pytest.mark.parametrize(
    "environment",
    [
        CLOUD,
        {**CLOUD, **EMAIL, "EMAIL_USERNAME": "u", "EMAIL_PASSWORD": "CANARY-7f3"},
        {**CLOUD, **EMAIL, "EMAIL_FROM": "钟楼 <belfry@example.com>"},
        {**CLOUD, "K_SERVICE": "console", "BELFRY_AUDIENCE": "/projects/1/locations/l/services/console"},
        {**CLOUD, "K_SERVICE": "notify-wechat", "WECHAT_ENABLED": "true", "WECHAT_WEBHOOK_URL": WECOM},
        {**CLOUD, "WECHAT_ENABLED": "true"},  # a job knows that the channel is on, and not its key
        {**PLACE, "EMAIL_USERNAME": "", "EMAIL_PASSWORD": "", "WECHAT_WEBHOOK_URL": "http://127.0.0.1:9/wecom"},
        {**PLACE, "BELFRY_VIEW_TOKEN": "v" * 32, "CREDENTIAL_ERP": "CANARY-7f3"},
    ],
)
def test_what_is_right_is_taken(environment: dict[str, str]) -> None:
    assert read(environment).in_cloud == ("K_SERVICE" in environment)


WRONG = [
    ({}, "DATABASE_URL must be set"),
    ({"DATABASE_URL": ""}, "DATABASE_URL must be set"),
    ({"DATABASE_URL": " \n"}, "DATABASE_URL begins or ends with white space"),
    ({"DATABASE_URL": "postgresql://u:CANARY-7f3@h/d\n"}, "DATABASE_URL begins or ends with white space"),
    ({"DATABASE_URL": "mysql://u:CANARY-7f3@h/d"}, "DATABASE_URL must be set, in the form"),
    ({**PLACE, "LOG_LEVEL": "LOUD"}, "LOG_LEVEL must be"),
    ({**PLACE, "EMAIL_ENABLED": "ture"}, "EMAIL_ENABLED must be true or false"),
    ({**PLACE, "EMAIL_ENABLED": "true"}, "EMAIL_SMTP_SERVER must be set .* EMAIL_FROM must be set"),
    ({**PLACE, **EMAIL, "EMAIL_SMTP_PORT": "abc"}, "EMAIL_SMTP_PORT must be a number from 1 to 65535"),
    ({**PLACE, **EMAIL, "EMAIL_SMTP_PORT": "0"}, "EMAIL_SMTP_PORT must be a number from 1 to 65535"),
    ({**PLACE, **EMAIL, "EMAIL_SMTP_PORT": "70000"}, "EMAIL_SMTP_PORT must be a number from 1 to 65535"),
    ({**PLACE, **EMAIL, "EMAIL_FROM": "a@b.example, CANARY-7f3@c.example"}, "EMAIL_FROM must be one address"),
    ({**PLACE, **EMAIL, "EMAIL_USERNAME": "u"}, "EMAIL_PASSWORD must be set when EMAIL_USERNAME is"),
    ({**PLACE, **EMAIL, "EMAIL_PASSWORD": "CANARY-7f3"}, "EMAIL_USERNAME must be set when EMAIL_PASSWORD is"),
    ({**PLACE, **EMAIL, "EMAIL_USERNAME": "u", "EMAIL_PASSWORD": "CANARY-7f3\n"}, "EMAIL_PASSWORD begins or ends"),
    ({**CLOUD, **EMAIL, "EMAIL_PASSWORD": ""}, "EMAIL_PASSWORD must not be empty"),
    ({**PLACE, "WECHAT_WEBHOOK_URL": "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=CANARY-7f3"}, "WECHAT_WEBHOOK_URL must begin"),
    ({**PLACE, "WECHAT_WEBHOOK_URL": WECOM.replace(".com", ".com.evil.example")}, "WECHAT_WEBHOOK_URL must begin"),
    ({**PLACE, "WECHAT_WEBHOOK_URL": WECOM.replace("//", "//u@")}, "WECHAT_WEBHOOK_URL must begin"),
    ({**PLACE, "WECHAT_WEBHOOK_URL": "https://[CANARY-7f3"}, "WECHAT_WEBHOOK_URL must begin"),
    ({**CLOUD, "WECHAT_WEBHOOK_URL": "http://127.0.0.1/CANARY-7f3"}, "WECHAT_WEBHOOK_URL must begin"),
    ({**PLACE, "FUNCTION_TARGET": "notify_wechat", "WECHAT_ENABLED": "true"}, "WECHAT_WEBHOOK_URL must be set"),
    ({**PLACE, "CREDENTIAL_ERP": ""}, "CREDENTIAL_ERP must not be empty"),
    ({**PLACE, "CREDENTIAL_ERP": "CANARY-7f3\n"}, "CREDENTIAL_ERP must not be empty or have white space"),
    ({**PLACE, "BELFRY_VIEW_TOKEN": "CANARY-7f3"}, "BELFRY_VIEW_TOKEN must have at least 32 characters"),
    ({**CLOUD, "BELFRY_MANAGE_TOKEN": "CANARY-7f3" * 4}, "BELFRY_MANAGE_TOKEN must not be set in the cloud"),
    ({**CLOUD, "BELFRY_LOCAL_CLOCK": "1"}, "BELFRY_LOCAL_CLOCK must not be set in the cloud"),
    ({**CLOUD, "BELFRY_AUDIENCE": ""}, "BELFRY_AUDIENCE must be set in the cloud"),
    ({**CLOUD, "BELFRY_AUDIENCE": "http://CANARY-7f3"}, "BELFRY_AUDIENCE must begin with https://"),
    ({**CLOUD, "K_SERVICE": "console"}, "BELFRY_AUDIENCE must begin with /projects/"),
    ({**CLOUD, "BELFRY_CALLERS": " "}, "BELFRY_CALLERS must be set in the cloud"),
    ({**PLACE, "DATABASE_APP_PASSWORD": "CANARY-7f3\n"}, "DATABASE_APP_PASSWORD must not be empty or have white space"),
    ({**CLOUD, "K_SERVICE": "migrate"}, "DATABASE_APP_PASSWORD must be set in the cloud"),
    ({**PLACE, "DB_POOL_SIZE": "many"}, "DB_POOL_SIZE must be a number"),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "told"), WRONG)
def test_what_is_wrong_is_refused_by_its_name_and_rule_and_never_its_value(
    environment: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        read(environment)
    assert "CANARY" not in str(refused.value)


def test_one_message_names_everything_that_is_wrong() -> None:
    with pytest.raises(ConfigError) as refused:
        read({"K_SERVICE": "x", "LOG_LEVEL": "LOUD", "EMAIL_ENABLED": "ture", "CREDENTIAL_ERP": ""})
    for name in ("DATABASE_URL", "LOG_LEVEL", "EMAIL_ENABLED", "CREDENTIAL_ERP", "BELFRY_CALLERS", "BELFRY_AUDIENCE"):
        assert name in str(refused.value)
