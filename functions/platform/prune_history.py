"""Every night: forget what is past its retention, in batches, without ever letting a forgotten tick run again."""

from __future__ import annotations

from itertools import count

from shared.jobs import Run, job
from shared.ledger import pruning


@job
def prune_history(run: Run) -> None:
    """One short transaction a batch: nobody waits for it, and what is done stays done."""
    with run.step(f"remember {run.attempt}") as db:
        pruning.remember(db, run.now, run.params)
    for kind in pruning.KINDS:
        for number in count(1):
            with run.step(f"{kind} {run.attempt}.{number}") as db:
                gone = pruning.prune(db, kind, run.now, run.params)
            run.count(**{kind: gone})
            if gone < run.params["batch"] or run.dry_run:
                break
