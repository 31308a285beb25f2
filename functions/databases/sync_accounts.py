"""Account sync: who may log in to every watched instance, what changed since yesterday, and who became a superuser."""

from dataclasses import asdict

from shared.alerts import raise_alerts
from shared.databases import accounts, checks, instances, readings
from shared.databases.instances import Answer, Instance
from shared.databases.readings import Accounts
from shared.jobs import Run, job
from shared.rules.accounts import privileges_hash
from shared.rules.instances import failure_ladder

KIND = "ACCOUNTS"


@job
def sync_accounts(run: Run) -> None:
    """Ask a few instances at a time, outside any transaction; accounts and privileges of one are one transaction."""
    params = run.params
    with run.step(f"look {run.attempt}") as db:
        watched = [Instance(**row._mapping) for row in db.execute(checks.to_ask(KIND))]
    asked = [instance for instance in watched if not run.has_finished(f"instance:{instance.id}")]
    patience = instances.Patience(
        params["connect_seconds"], params["instance_seconds"], params["tries"], params["workers"]
    )
    for answer in instances.survey(
        asked, readings.accounts, patience, check=run.check, remaining=lambda: run.lease.remaining,
        reserve=params["reserve_seconds"],
    ):  # fmt: skip
        _write(run, answer)
    with run.step(f"alerts {run.attempt}"):
        _alert(run, None)  # those that nobody watches any more


def _write(run: Run, answer: Answer[Accounts]) -> None:
    """An instance that did not answer changes no account: it deactivates nobody."""
    instance = answer.instance
    if answer.skipped:
        run.item_skipped("DB_INSTANCE", instance.name, answer.skipped)
    elif answer.found is None:
        with run.step(f"failed:{instance.id} {run.attempt}") as db:
            why = answer.failed or "no answer"
            run.item_failed("DB_INSTANCE", instance.name, why)
            db.execute(checks.failed(KIND, instance.id, run.now, run.biz_date, why))
            _alert(run, instance.id)
    else:
        with run.step(f"instance:{instance.id}") as db:
            rows = [asdict(account) | {"privileges_hash": privileges_hash(account.privileges)}
                    for account in answer.found.accounts]  # fmt: skip
            done = db.execute(accounts.merge(instance.id, rows, run.now, run.id)).one()
            db.execute(accounts.version(instance.id, answer.found.version))
            db.execute(checks.answered(KIND, instance.id, run.now))
            _alert(run, instance.id)
            run.item_done("DB_INSTANCE", instance.name, f"{done.checked} accounts")
            run.count(
                instances=1, checked=done.checked, added=done.created, modified=done.updated,
                reactivated=done.reactivated, deactivated=done.deactivated,
            )  # fmt: skip
            raise_alerts(run, "DB_PRIVILEGED_ACCOUNT", accounts.alarming(instance.id, run.id),
                         scanned=accounts.harmless(instance.id))  # fmt: skip


def _alert(run: Run, instance: int | None) -> None:
    failing = checks.failing(KIND, failure_ladder(run.params["failed_days"]), instance)
    raise_alerts(run, "DB_ACCOUNT_SYNC_FAILED", failing, scanned=checks.known(instance))
