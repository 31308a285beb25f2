"""An edit of cron.yaml is told in these words, and in no others."""

import pytest

from infra.check import narrative
from tests.infra.check.world import AT, FILE, edited, read, without

NEXT_COST = "next: Mon 2026-03-02 {0}, Tue 2026-03-03 {0}, Wed 2026-03-04 {0} (Asia/Shanghai)"
NEXT_KIT = "next: Tue 2026-03-03 {0}, Wed 2026-03-04 {0}, Thu 2026-03-05 {0} (Asia/Shanghai)"
COST = "~ check_cost: daily at 10:00, owner finance@example.com"
AT_TEN = '"0 10 * * *"'
AT_SIX = '"0 6 * * *"'
SUMS = "  sum_up runs once after each success of it"
Edit = tuple[str, str]

EDITS: dict[str, tuple[list[Edit], list[str]]] = {
    "another time and why": (
        [(AT_TEN, '"30 10 * * *"\n    reason: postings arrive at 10:15')],
        ["~ check_cost: daily at 10:00 -> 10:30, owner finance@example.com", "  reason: “postings arrive at 10:15”", f"  {NEXT_COST.format('10:30')}"],
    ),
    "other days, later than promised": (
        [(AT_TEN, '"30 11 * * 1-5"')],
        [
            "~ check_cost: daily at 10:00 -> Monday to Friday at 11:30, owner finance@example.com",
            "  rings 30 -> 22 times in 30 days",
            f"  {NEXT_COST.format('11:30')}",
            "  sla.finish_by 11:00 is earlier than it rings (11:30)",
        ],
    ),
    "another owner": (
        [("finance@example.com", "sales@example.com")],
        ["~ check_cost: daily at 10:00, owner finance@example.com -> sales@example.com"],
    ),
    "another zone": (
        [(AT_TEN, f"{AT_TEN}\n    time_zone: Europe/Berlin")],
        [
            "~ check_cost: daily at 10:00 Asia/Shanghai -> Europe/Berlin, owner finance@example.com",
            f"  {NEXT_COST.format('10:00').replace('Asia/Shanghai', 'Europe/Berlin')}",
        ],
    ),
    "workdays only": (
        [(AT_TEN, f"{AT_TEN}\n    calendar: cn_workdays")],
        [
            "~ check_cost: daily at 10:00 -> daily at 10:00 (Chinese workdays only), owner finance@example.com",
            f"  {NEXT_COST.format('10:00')[:-1]}; legal holidays and make-up workdays not looked up)",
        ],
    ),
    "parameters": (
        [("warning: 80", "warning: 85"), ("roles: [FIN]", "roles: [FIN, PMO]"), (", urgent: 120", "")],
        [COST, "  params.levels.warning: 80 -> 85", '  params.roles: ["FIN"] -> ["FIN", "PMO"]', "  params.levels.urgent: 120 -> not set"],
    ),
    "a parameter that Python alone takes for the same": (
        [("warning: 80", "warning: 1"), ("urgent: 120", "urgent: true")],
        [COST, "  params.levels.warning: 80 -> 1", "  params.levels.urgent: 120 -> true"],
    ),
    "policies": (
        [
            ("timeout: 120", "timeout: 150\n    overlap: buffer_one\n    catchup: none\n    window: 10m\n    memory: 1Gi\n    max_instances: 3\n    backoff: [1m, 90s]\n    breaker: {failures: 3, open: 1h}\n    priority: high\n    max_attempts: 2\n    catchup_window: 2h\n    risk: LOW"),
        ],
        [
            COST,
            "  timeout: 2 min -> 2 min 30 s", "  memory: 512Mi -> 1Gi", "  max_instances: 1 -> 3", "  risk: MEDIUM -> LOW", "  overlap: skip -> buffer_one",
            "  catchup: last -> none", "  catchup_window: 1 d -> 2 h", "  max_attempts: 3 -> 2", "  backoff: 30 s, 2 min, 5 min -> 1 min, 1 min 30 s",
            "  breaker.failures: 5 -> 3", "  breaker.open: 30 min -> 1 h", "  priority: normal -> high", "  window: none -> 10 min",
            f"  {NEXT_COST.format('10:03')[:-1]}, 3 min after its tick)",
        ],
    ),
    "tables and promises": (
        [("reads: [erp.projects, erp.costs]", "reads: [erp.projects, erp.invoices]\n    writes: [alert_records]"), ('{max_duration: 60, finish_by: "11:00"}', '{finish_by: "10:45"}')],
        [COST, "  sla.finish_by: 11:00 -> 10:45", "  reads: + erp.invoices, - erp.costs", "  writes: + alert_records", "  sla.max_duration: 1 min -> not set", f"  {NEXT_COST.format('10:00')}"],
    ),
    "tables in another order": (
        [("[erp.projects, erp.costs]", "[erp.costs, erp.projects]")],
        [COST, "  reads: the same in another order"],
    ),
    "texts": (
        [("Compares cost.", "Compares each cost."), ("Run it again.", "{zh: 再跑, en: Again}")],
        [COST, "  description.en: now “Compares each cost.”", "~ check_kit: daily at 06:00, owner supply@example.com", "  runbook: now “再跑 / Again”"],
    ),
    "an upstream still early enough": (
        [(AT_SIX, '"30 6 * * *"')],
        ["~ check_kit: daily at 06:00 -> 06:30, owner supply@example.com", f"  {NEXT_KIT.format('06:30')}", "  check_shortage (daily at 07:00) waits for it and starts 30 min later", SUMS],
    ),
    "an upstream that is waited for": (
        [(AT_SIX, '"30 7 * * *"')],
        ["~ check_kit: daily at 06:00 -> 07:30, owner supply@example.com", f"  {NEXT_KIT.format('07:30')}", "  check_shortage (daily at 07:00) waits for it, 30 min or more each time", SUMS],
    ),
    "an upstream that comes too late": (
        [(AT_SIX, '"30 8 * * *"')],
        [
            "~ check_kit: daily at 06:00 -> 08:30, owner supply@example.com",
            f"  {NEXT_KIT.format('08:30')}",
            "  check_shortage (daily at 07:00) waits for it, but that rings 1 h 30 min later: after 1 h it runs without it",
            SUMS,
        ],
    ),
    "an upstream that has no tick on the day": (
        [(AT_SIX, '"0 6 * * 0"')],
        [
            "~ check_kit: daily at 06:00 -> every Sunday at 06:00, owner supply@example.com",
            "  rings 30 -> 4 times in 30 days",
            "  catchup_window: 1 d -> 7 d",
            "  next: Sun 2026-03-08 06:00, Sun 2026-03-15 06:00, Sun 2026-03-22 06:00 (Asia/Shanghai)",
            "  check_shortage (daily at 07:00) waits for it, which has no tick on Tue 2026-03-03: after 1 h it runs without it",
            SUMS,
        ],
    ),
    "an upstream that is switched off": (
        [(AT_SIX, f"{AT_SIX}\n    enabled: false")],
        [
            "~ check_kit: daily at 06:00, owner supply@example.com",
            "  enabled: switched off; its ticks are recorded as skipped",
            "  check_shortage (daily at 07:00) waits for it, which is switched off: after 1 h it runs without it",
            SUMS,
        ],
    ),
    "one more upstream": (
        [("depends_on: [check_kit]\n  sum_up", "depends_on: [check_kit, check_cost]\n    wait: 90m\n    on_wait_over: skip\n  sum_up")],
        [
            "~ check_shortage: daily at 07:00, owner supply@example.com",
            "  depends_on: + check_cost",
            "  wait: 1 h -> 1 h 30 min",
            "  on_wait_over: run -> skip",
            f"  {NEXT_KIT.format('07:00')}",
            "  it waits for check_kit and starts 1 h later",
            "  it waits for check_cost, but that rings 3 h later: after 1 h 30 min it is skipped",
        ],
    ),
    "a schedule instead of an upstream": (
        [("Sums up.}\n    category: materials\n    owner: supply@example.com\n    depends_on: [check_kit]", 'Sums up.}\n    category: materials\n    owner: supply@example.com\n    schedule: "0 8 1 * *"')],
        [
            "~ sum_up: after check_kit succeeded -> monthly on day 1 at 08:00, owner supply@example.com",
            "  rings 0 -> 1 times in 30 days",
            "  catchup_window: 1 d -> 7 d",
            "  depends_on: - check_kit",
            "  next: Wed 2026-04-01 08:00, Fri 2026-05-01 08:00, Mon 2026-06-01 08:00 (Asia/Shanghai)",
        ],
    ),
    "the same times written otherwise": (
        [('"*/30 * * * *"', '"0,30 * * * *"')],
        [
            "~ sync: every 30 minutes, written '0,30 * * * *' instead of '*/30 * * * *', owner platform@example.com",
            "  next: Mon 2026-03-02 10:00, Mon 2026-03-02 10:30, Mon 2026-03-02 11:00 (Asia/Shanghai)",
        ],
    ),
    "twice as often": (
        [('"*/30 * * * *"', '"*/15 * * * *"'), ("by the half hour", "all the time")],
        [
            "~ sync: every 30 minutes -> every 15 minutes, owner platform@example.com",
            "  reason: “lorries come all the time”",
            "  rings 1,440 -> 2,880 times in 30 days",
            "  next: Mon 2026-03-02 09:45, Mon 2026-03-02 10:00, Mon 2026-03-02 10:15 (Asia/Shanghai)",
        ],
    ),
    "a schedule without a sentence": (
        [('"*/30 * * * *"', '"0 8 */2 * *"')],
        [
            "~ sync: every 30 minutes -> 0 8 */2 * *, owner platform@example.com",
            "  rings 1,440 -> 16 times in 30 days",
            "  catchup_window: 1 h -> 1 d",
            "  next: Tue 2026-03-03 08:00, Thu 2026-03-05 08:00, Sat 2026-03-07 08:00 (Asia/Shanghai)",
        ],
    ),
    "a default": (
        [("grace: 300", "grace: 600")],
        ["~ 5 entries: grace: 5 min -> 10 min (check_cost, check_kit, check_shortage and 2 more)"],
    ),
    "a default and one job beside it": (
        [("grace: 300", "grace: 600"), ("timeout: 120", "timeout: 60")],
        ["~ 5 entries: grace: 5 min -> 10 min (check_cost, check_kit, check_shortage and 2 more)", COST, "  timeout: 2 min -> 1 min"],
    ),
    "a function": (
        [("max_instances: 4", "max_instances: 8")],
        ["~ console: a function that no schedule fires, owner platform@example.com", "  max_instances: 4 -> 8"],
    ),
    "the whole file": (
        [("version: 1\ndatabase: {connections: 40}", "version: 1\nenabled: false\ndatabase: {connections: 100}")],
        ["the whole scheduler: switched off, no job runs", "database.connections: 40 -> 100"],
    ),
    "another name": (
        [("  check_cost:", "  compare_cost:")],
        ["~ check_cost is called compare_cost now; else it is as it was", "  history, overrides and pauses stay with check_cost; compare_cost begins without"],
    ),
    "another name and another time": (
        [("  check_cost:", "  compare_cost:"), (AT_TEN, '"30 10 * * *"')],
        [
            "+ compare_cost: daily at 10:30, owner finance@example.com",
            "  成本 · Cost",
            "  “比较成本。”",
            "  “Compares cost.”",
            "  risk MEDIUM, timeout 2 min, overlap skip, catch-up last",
            f"  {NEXT_COST.format('10:30')}",
            "- check_cost: daily at 10:00, owner finance@example.com",
            "  rings no more and its function goes; its history stays",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edits", "says"), EDITS.values(), ids=EDITS)
def test_an_edit_is_told_in_words(edits: list[Edit], says: list[str]) -> None:
    assert list(narrative.section(read(FILE), read(edited(*edits)), "HEAD", AT).lines) == says


def test_no_change_is_one_line() -> None:
    found = narrative.section(read(FILE), read(FILE + "# a comment\n"), "HEAD", AT)
    assert (found.title, found.lines) == ("cron.yaml says what it said at HEAD: nothing changes", ())


def test_what_changed_is_counted_in_the_title() -> None:
    now = read(edited((AT_TEN, '"30 10 * * *"'), ("max_instances: 4", "max_instances: 8"), ("  sync:", "  exchange:")))
    assert (
        narrative.section(read(FILE), now, "main", AT).title
        == "cron.yaml against main: 1 renamed, 2 changed, 3 as before"
    )


def test_a_job_that_is_gone_rings_no_more_and_one_that_is_new_is_introduced() -> None:
    gone = narrative.section(read(FILE), read(without("check_cost")), "HEAD", AT)
    assert gone.lines == (
        "- check_cost: daily at 10:00, owner finance@example.com",
        "  rings no more and its function goes; its history stays",
    )
    new = narrative.section(read(without("check_cost")), read(FILE), "HEAD", AT)
    assert new.lines[0] == "+ check_cost: daily at 10:00, owner finance@example.com"
    assert f"  {NEXT_COST.format('10:00')}" in new.lines


def test_a_name_is_no_new_name_when_two_jobs_could_have_had_it() -> None:
    twin = FILE[FILE.index("  sync:") :]
    two = FILE + twin.replace("  sync:", "  sync_again:")
    renamed = edited(("  sync:", "  exchange:"))
    facts = narrative.section(read(two), read(renamed), "HEAD", AT).facts
    assert (facts["renamed"], facts["added"], sorted(facts["removed"])) == ([], ["exchange"], ["sync", "sync_again"])


def test_the_facts_hold_every_changed_path() -> None:
    now = read(edited(("warning: 80", "warning: 85"), ('finish_by: "11:00"', 'finish_by: "11:30"')))
    assert narrative.section(read(FILE), now, "HEAD", AT).facts["changed"] == {
        "check_cost": {"params.levels.warning": [80, 85], "sla.finish_by": ["11:00", "11:30"]}
    }
