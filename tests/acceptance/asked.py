"""Which promises is a case asked, and which reasons excuse it from one?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import Connection

from tests.acceptance.alerts import (
    a_condition_that_clears_resolves_the_alert_without_a_message,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
    a_worse_level_upgrades_the_same_alert_and_tells_once,
    an_acknowledged_alert_is_not_raised_again,
)
from tests.acceptance.cases import AlertJob, Case
from tests.acceptance.failure import an_exception_fails_the_run_after_its_last_attempt_and_raises_an_incident
from tests.acceptance.ticks import (
    a_dry_run_counts_and_lists_but_changes_no_row,
    a_row_that_cannot_be_judged_is_listed_and_the_others_are_done,
    its_messages_can_be_read_in_both_languages,
    the_business_day_begins_at_local_midnight,
    the_same_slot_twice_writes_and_sends_nothing,
    two_deliveries_of_one_tick_at_once_are_one_run,
)
from tests.acceptance.volume import (
    fifty_thousand_rows_are_done_within_the_jobs_timeout,
    the_number_of_statements_does_not_depend_on_the_rows,
)
from tests.conftest import Perform

Promise = Callable[[Any, Connection, Perform], None]

PROMISES: list[Promise] = [
    the_same_slot_twice_writes_and_sends_nothing,
    a_condition_that_clears_resolves_the_alert_without_a_message,
    an_acknowledged_alert_is_not_raised_again,
    a_worse_level_upgrades_the_same_alert_and_tells_once,
    a_row_that_cannot_be_judged_is_listed_and_the_others_are_done,
    an_exception_fails_the_run_after_its_last_attempt_and_raises_an_incident,
    two_deliveries_of_one_tick_at_once_are_one_run,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
    a_dry_run_counts_and_lists_but_changes_no_row,
    the_number_of_statements_does_not_depend_on_the_rows,
    the_business_day_begins_at_local_midnight,
    fifty_thousand_rows_are_done_within_the_jobs_timeout,
    its_messages_can_be_read_in_both_languages,
]
OF_ALERTS = [
    a_condition_that_clears_resolves_the_alert_without_a_message,
    an_acknowledged_alert_is_not_raised_again,
    a_worse_level_upgrades_the_same_alert_and_tells_once,
    a_rule_that_is_switched_off_says_nothing_and_touches_no_alert,
]

EXCUSES: Mapping[str, Sequence[Promise]] = {
    # the level has one value, whatever happens to the row
    "one level": [a_worse_level_upgrades_the_same_alert_and_tells_once],
    # what happened stays true: no change of the row takes it back
    "never clears": [a_condition_that_clears_resolves_the_alert_without_a_message],
    # the schema leaves no row that the rule could not decide
    "all can be judged": [a_row_that_cannot_be_judged_is_listed_and_the_others_are_done],
    # hours or states decide, no business day
    "no day": [the_business_day_begins_at_local_midnight],
    # it looks at no rows, or at a handful by nature (databases, sources, shards)
    "few rows": [
        the_number_of_statements_does_not_depend_on_the_rows,
        fifty_thousand_rows_are_done_within_the_jobs_timeout,
    ],
    # a transaction a step, so the statements grow with the steps
    "works in steps": [
        the_number_of_statements_does_not_depend_on_the_rows,
        a_row_that_cannot_be_judged_is_listed_and_the_others_are_done,
    ],
}
_PROVED = re.compile(r"proved by (test_\w+): \S")
_RAISES = re.compile(r'raise_alerts\(\s*run,\s*"(\w+)"')


def promises(job: Case) -> list[Promise]:
    """Every promise that the case does not excuse itself from; a RowsJob is asked nothing about alerts."""
    asked = PROMISES if isinstance(job, AlertJob) else [p for p in PROMISES if p not in OF_ALERTS]
    return [promise for promise in asked if promise.__name__ not in job.reasons]


def bad_reasons(job: Case, module: ModuleType) -> list[str]:
    """What is wrong with the reasons that the case gives."""
    asked = {p.__name__: p for p in PROMISES if isinstance(job, AlertJob) or p not in OF_ALERTS}
    wrong = []
    for name, reason in job.reasons.items():
        kind, _, why = reason.partition(": ")
        proof = _PROVED.match(reason)
        if name not in asked:
            wrong.append(f"{name}: nobody asks that of a {type(job).__name__}; the promises are {sorted(asked)}")
        elif proof:
            if not hasattr(module, proof[1]):
                wrong.append(f"{name}: {module.__name__} has no {proof[1]}")
        elif kind not in EXCUSES or len(why.split()) < 2:
            wrong.append(f"{name}: say '<kind>: <one sentence>', kind one of {sorted(EXCUSES)} or 'proved by test_...'")
        elif asked[name] not in EXCUSES[kind]:
            wrong.append(f"{name}: '{kind}' is no reason for it, only for {[p.__name__ for p in EXCUSES[kind]]}")
    return wrong


def unproved_rules(source: str, module: ModuleType) -> list[str]:
    """The rules that a job's file raises, but that none of its cases and no reason speaks of."""
    cased = {case.rule for case in module.CASES if isinstance(case, AlertJob)}
    excused = getattr(module, "RULES_PROVED_HERE", {})
    proofs = {rule: _PROVED.match(reason) for rule, reason in excused.items()}
    proved = {rule for rule, proof in proofs.items() if proof and hasattr(module, proof[1])}
    return sorted(set(_RAISES.findall(source)) - cased - proved)
