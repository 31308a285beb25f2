"""Every minute: publish what is not published yet, and bring deliveries on whose time has come."""

from itertools import count

from shared import deliveries, outbox
from shared.alerting import untold
from shared.alerts import raise_alerts
from shared.jobs import Run, job


@job
def sweep_deliveries(run: Run) -> None:
    """Move, report, publish: each a step, so that the network is never waited for inside a transaction."""
    with run.step("moves") as db:
        run.count(**deliveries.requeue(db, run.id), expired=deliveries.expire(db), retried=deliveries.retry(db, run.id))
        run.count(**deliveries.release(db, run.id, digest_min=run.params["digest_min"]))
    with run.step("report"):
        raise_alerts(run, "NOTIFY_FAILED", untold.failing_channels(), scanned=untold.all_channels())
    for number in count(1):
        with run.step(f"take {number}") as db:
            batch = deliveries.take_outbox(db, run.params["batch"])
        confirmed = _publish(run, batch)
        if confirmed < len(batch) or len(batch) < run.params["batch"]:
            break


def _publish(run: Run, batch: list[outbox.OutboxMessage]) -> int:
    if run.dry_run or not batch:
        return 0
    from shared import pubsub  # 200 ms of imports that a quiet minute never pays

    run.check()
    confirmed = pubsub.publish(batch)
    outbox.mark_published(run.connection, confirmed)
    run.count(published=len(confirmed), unpublished=len(batch) - len(confirmed))
    return len(confirmed)
