"""The pieces of a deployment that Terraform cannot do: asked of Google once, made only when missing, refused in words."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.commands import deploy
from infra.commands.outcome import BadInputError, OutOfReachError
from infra.deploying import google as google_module
from infra.deploying import image, project, secrets, tokens
from infra.deploying.environment import INFRA, Environment
from infra.deploying.google import Google
from shared.cronfile.loading import load
from tests.infra.google_apis import GoogleApis, running

HERE = Environment(Path("staging.tfvars"), "staging", "factory-belfry", "123456789012", "asia-east2")
IMAGE = "asia-east2-docker.pkg.dev/factory-belfry/belfry/console:0dc09ad91a99fb97"
DATABASE = {"database-app-password": 1, "database-migrator-password": 1}


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleApis]:
    with running(HERE.project, HERE.project_number) as made:
        monkeypatch.setenv(google_module.REHEARSAL, made.url)
        yield made


@pytest.fixture
def google(apis: GoogleApis) -> Google:
    return Google()


def test_the_state_s_bucket_is_made_once_with_every_version_kept(apis: GoogleApis, google: Google) -> None:
    assert project.keep_state(google, HERE) is True
    assert project.keep_state(google, HERE) is False
    made = apis.buckets["factory-belfry-belfry-state"]
    assert made["versioning"] == {"enabled": True}
    assert made["iamConfiguration"]["publicAccessPrevention"] == "enforced"


def test_a_project_and_a_number_must_be_the_same_project_s(apis: GoogleApis, google: Google) -> None:
    project.check(google, HERE)
    apis.described_number = "77"
    with pytest.raises(BadInputError, match="project_number 123456789012 is not that of factory-belfry, which is 77"):
        project.check(google, HERE)


def test_google_s_own_accounts_are_made_before_they_are_given_rights(apis: GoogleApis, google: Google) -> None:
    project.make_agents(google, HERE)
    assert apis.agents == ["iap", "pubsub"]


def test_a_database_password_is_made_where_none_is_and_never_twice(apis: GoogleApis, google: Google) -> None:
    assert secrets.fill(google, HERE, DATABASE) == list(DATABASE)
    assert secrets.fill(google, HERE, DATABASE) == []
    (app,), (migrator,) = (apis.secrets[name] for name in DATABASE)
    assert app != migrator
    assert len(app) >= 40
    assert secrets.value(google, HERE, secrets.MIGRATOR, 1) == migrator


def test_the_next_number_rotates_a_password_and_a_number_too_far_is_refused(apis: GoogleApis, google: Google) -> None:
    secrets.fill(google, HERE, DATABASE)
    assert secrets.fill(google, HERE, {**DATABASE, "database-app-password": 2}) == ["database-app-password"]
    assert len(set(apis.secrets["database-app-password"])) == 2
    with pytest.raises(BadInputError, match="version 9 is wanted, the next one is 3"):
        secrets.fill(google, HERE, {**DATABASE, "database-app-password": 9})


def test_a_secret_that_only_a_person_knows_is_asked_for_by_name_before_anything_is_made(
    apis: GoogleApis, google: Google
) -> None:
    with pytest.raises(BadInputError, match="email-password: version 2") as refused:
        secrets.fill(google, HERE, {**DATABASE, "email-password": 2, "credential-erp": 1})
    assert "gcloud secrets versions add credential-erp --project=factory-belfry" in str(refused.value)
    assert apis.secrets == {}


def test_the_console_is_built_of_its_archive_once_a_hash(apis: GoogleApis, google: Google) -> None:
    assert image.build(google, HERE, IMAGE, "bucket", "console-0dc09ad91a99fb97.zip") is True
    assert image.build(google, HERE, IMAGE, "bucket", "console-0dc09ad91a99fb97.zip") is False
    assert apis.images == [IMAGE]


def test_a_build_that_fails_says_why(apis: GoogleApis, google: Google) -> None:
    apis.failing_build = "no matching distribution"
    with pytest.raises(OutOfReachError, match="no matching distribution"):
        image.build(google, HERE, IMAGE, "bucket", "console-0dc09ad91a99fb97.zip")


def _claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_commands_speak_as_the_operator_to_one_address(google: Google) -> None:
    url = "https://migrate-123456789012.asia-east2.run.app"
    claims = _claims(tokens.for_function(google, HERE, url))
    assert (claims["aud"], claims["email"], claims["email_verified"]) == (url, HERE.operator, True)
    claims = _claims(tokens.for_proxy(google, HERE, "https://console-123456789012.asia-east2.run.app"))
    assert (claims["iss"], claims["sub"]) == (HERE.operator, HERE.operator)
    assert claims["aud"] == "https://console-123456789012.asia-east2.run.app/*"
    assert claims["exp"] - claims["iat"] == tokens.LIFE  # type: ignore[operator]


def test_a_right_that_is_minutes_old_is_waited_for_and_one_that_is_not_there_is_told(
    apis: GoogleApis, google: Google
) -> None:
    apis.not_yet = tokens.TRIES - 1
    assert _claims(tokens.for_function(google, HERE, "https://a.run.app"))["email"] == HERE.operator
    apis.not_yet = tokens.TRIES
    with pytest.raises(OutOfReachError, match=r"does not allow POST .*getOpenIdToken denied"):
        tokens.for_function(google, HERE, "https://a.run.app")


def test_what_google_refuses_is_told_in_its_own_words(google: Google) -> None:
    with pytest.raises(BadInputError, match="answers 400 to GET v1/nothing: nobody expects"):
        google.ask("GET", "run.googleapis.com", "v1/nothing")


def test_a_google_that_does_not_answer_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(google_module.REHEARSAL, "http://127.0.0.1:1")
    with pytest.raises(OutOfReachError, match=r"run\.googleapis\.com does not answer"):
        Google().ask("GET", "run.googleapis.com", "v1/nothing")


VARIABLES = 'environment = "own"\nproject = "{project}"\nproject_number = "1234567"\nregion = "asia-east2"\n'


def test_an_environment_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "own.tfvars").write_text(VARIABLES.format(project="own-belfry"), "utf-8")
    found = Environment.read("own", tmp_path)
    assert (found.project, found.state_bucket, found.operator) == (
        "own-belfry", "own-belfry-belfry-state", "belfry-operator@own-belfry.iam.gserviceaccount.com",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("elsewhere", "", r"there is no infra/envs/elsewhere\.tfvars; allowed are own"),
        ("../own", "", "there is no"),
        ("own", VARIABLES.format(project="example-belfry"), "is the example"),
        ("own", 'environment = "own"\n', "project, project_number, region must be set"),
    ],
)
def test_an_environment_that_cannot_be_deployed_is_refused(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / "own.tfvars").write_text(content, "utf-8")
    with pytest.raises(BadInputError, match=told):
        Environment.read(name, tmp_path)


def test_what_is_made_first_is_declared_so() -> None:
    """Terraform says nothing of a target that does not exist."""
    declared = "\n".join(path.read_text("utf-8") for path in INFRA.glob("*.tf"))
    resources = {".".join(found) for found in re.findall(r'^resource "(\w+)" "(\w+)"', declared, re.MULTILINE)}
    modules = {f"module.{name}" for name in re.findall(r'^module "(\w+)"', declared, re.MULTILINE)}
    assert {target.partition("[")[0] for target in (*deploy.FIRST, *deploy.SECOND)} <= resources | modules
    assert 'module.function["migrate"]' in deploy.SECOND
    assert "migrate" in load(INFRA.parent / "cron.yaml").functions
