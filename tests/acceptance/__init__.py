"""What must hold for every job? The promises of rulebook 9.1, each a sentence, over one small description per case.

A job's test module says how one row concerns it, in a module-level list, and nothing else is needed:
tests/functions/test_acceptance.py takes every job of cron.yaml, imports tests/functions/<category>/test_<job_id>.py and
runs every promise for every case it finds there::

    CASES = [
        AlertJob("check_overdue_issues", "ISSUE_OVERDUE", clock="09:00", violate=..., clear=..., worsen=..., spoil=...,
                 multiply=copies_of(tables.issues, "issue_no")),
    ]

One `AlertJob` a rule of a job that alerts; a `RowsJob` for a job that makes or changes rows, or only tells people. A job
that does both has both. Each promise gets an untouched database, so a case is a description and keeps no state.

**A promise that does not apply** needs a reason: `reasons={"<name of the promise>": "<kind>: <one sentence>"}`, the kind
one of `asked.EXCUSES`, which also says which promises it may excuse. `"proved by test_name: ..."` excuses any promise and
must name a test of the same module that proves it in the job's own way. An empty, unknown or unneeded reason fails.
A rule that a job raises without an `AlertJob` needs one as well: `RULES_PROVED_HERE = {"<rule>": "proved by test_name: ..."}`.

`cases` is what a module describes, `many` how it multiplies a row; the promises stand by what they are about: `ticks`,
`alerts`, `failure`, `volume`; `asked` knows which of them a case is asked. No test of one job belongs here.
"""
