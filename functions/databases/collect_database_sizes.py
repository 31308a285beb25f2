"""Capacity collection: how large every database of every watched instance is today, and which one grew too fast."""

from functools import partial

from shared.alerts import raise_alerts
from shared.databases import checks, instances, partitions, readings, sizes
from shared.databases.instances import Answer, Instance
from shared.databases.readings import Size
from shared.errors import PermanentError
from shared.jobs import Run, job
from shared.rules.capacity import megabytes
from shared.rules.instances import failure_ladder

KIND = "SIZES"


@job
def collect_database_sizes(run: Run) -> None:
    """Ask a few instances at a time, outside any transaction, and write each answer down in one of its own."""
    params = run.params
    with run.step(f"look {run.attempt}") as db:
        _refuse_a_past_day(run)
        db.execute(partitions.make([(table, run.biz_date) for table in sizes.TABLES]))
        watched = [Instance(**row._mapping) for row in db.execute(checks.to_ask(KIND))]
    asked = [instance for instance in watched if not run.has_finished(f"instance:{instance.id}")]
    run.count(checked=len(asked))
    read = partial(readings.sizes, system=params["system_databases"])
    patience = instances.Patience(
        params["connect_seconds"], params["instance_seconds"], params["tries"], params["workers"]
    )
    for answer in instances.survey(
        asked, read, patience, check=run.check, remaining=lambda: run.lease.remaining, reserve=params["reserve_seconds"]
    ):
        _write(run, answer)
    with run.step(f"alerts {run.attempt}"):
        _alert(run, None)  # those that nobody watches any more


def _write(run: Run, answer: Answer[list[Size]]) -> None:
    instance, params = answer.instance, run.params
    if answer.skipped:
        run.item_skipped("DB_INSTANCE", instance.name, answer.skipped)
    elif answer.failed:
        with run.step(f"failed:{instance.id} {run.attempt}") as db:
            run.item_failed("DB_INSTANCE", instance.name, answer.failed)
            db.execute(checks.failed(KIND, instance.id, run.now, run.biz_date, answer.failed))
            _alert(run, instance.id)
    else:
        with run.step(f"instance:{instance.id}") as db:
            rows = []
            for found in answer.found or []:
                if found.size is None:
                    run.item_failed("DATABASE", f"{instance.name}/{found.database}", "its size may not be read")
                    continue
                parts = {"size_mb": found.size, "data_size_mb": found.data, "log_size_mb": found.log}
                whole = {name: None if part is None else megabytes(part) for name, part in parts.items()}
                rows.append({"database_name": found.database, **whole})
            stored = db.execute(sizes.store(instance.id, run.biz_date, rows)).one()
            db.execute(checks.answered(KIND, instance.id, run.now))
            _alert(run, instance.id)
            gone = f"; gone: {', '.join(stored.missing)}" if stored.missing else ""
            run.item_done("DB_INSTANCE", instance.name, f"{stored.databases} databases, {stored.total_mb} MB{gone}")
            run.count(databases=stored.databases, written=stored.written, instances=1)
            grown = sizes.grown(
                instance.id, run.biz_date, params["growth_percent"], params["growth_gb"], params["lookback_days"]
            )
            raise_alerts(run, "DB_CAPACITY_GROWTH", grown, scanned=sizes.looked_at(instance.id, run.biz_date))


def _alert(run: Run, instance: int | None) -> None:
    failing = checks.failing(KIND, failure_ladder(1, run.params["critical_days"]), instance)
    raise_alerts(run, "DB_CAPACITY_COLLECT_FAILED", failing, scanned=checks.known(instance))


def _refuse_a_past_day(run: Run) -> None:
    # Cloud Scheduler's own tick may be late and even cross midnight; what somebody asks for by hand may not.
    past = run.kind == "backfill"
    if run.kind == "manual":
        past = run.biz_date < run.db.execute(checks.today(run.time_zone.key)).scalar_one()
    if past:
        raise PermanentError(f"the sizes of {run.biz_date} cannot be read any more: run the job for today")
