"""The bill, against sums done by hand: what a deployment costs a month of 31 days, free amounts and their edges, and what a change adds."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from infra.check import cost
from infra.check.cost import Bill, always_on, changes, deployed
from infra.check.prices import Price, Prices
from infra.check.sizes import Sizes
from infra.check.workload import Calls, Workload, ticks
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, FunctionSpec, JobSpec

ROOT = Path(__file__).parents[3]
SIZES = Sizes("db-custom-1-3840", disk_gib=10)
# 744 CPU-hours x 0.0413 = 30.7272; 744 x 3.75 = 2,790 GiB-hours x 0.007 = 19.53; 10 GiB x 0.17 = 1.70; 10 GiB x 0.08 = 0.80
DATABASE = Decimal("52.7572")


@pytest.fixture(scope="module")
def prices() -> Prices:
    return Prices.read()


@pytest.fixture(scope="module")
def workload() -> Workload:
    return Workload.read()


def jobs(number: int, schedule: str | None = "0 * * * *", **fields: object) -> CronFile:
    made = [JobSpec(id=f"job_{n}", category="issues", schedule=schedule, **fields) for n in range(number)]  # type: ignore[arg-type]
    return CronFile(path="", jobs={job.id: job for job in made})


def usd(bill: Bill) -> dict[str, Decimal]:
    return {line.item: line.usd for line in bill.lines if line.usd}


def quantity(bill: Bill, item: str) -> Decimal:
    return next(line.quantity for line in bill.lines if line.item == item)


def test_without_jobs_only_the_database_is_paid_for(prices: Prices, workload: Workload) -> None:
    bill = deployed(jobs(0), SIZES, prices, workload)
    assert bill.usd == DATABASE
    assert cost.money(bill.usd) == "52.76"


def test_an_hourly_job_pays_for_its_starts_and_stays_within_the_free_amounts(
    prices: Prices, workload: Workload
) -> None:
    """31 x 24 = 744 ticks, each an hour after the one before: all find no instance.

    A start and its work: (0.1 + 0.303) / 0.333 + 1.0 = 2.2102... s, billed as 2.3; 744 x 2.3 = 1,711.2 s;
    x 0.333 = 569.8296 vCPU-s; x 0.5 GiB = 855.6 GiB-s.
    """
    bill = deployed(jobs(1), SIZES, prices, workload)
    assert quantity(bill, "Function requests") == 744
    assert quantity(bill, "Function CPU") == Decimal("569.8296")
    assert quantity(bill, "Function memory") == Decimal("855.6")
    assert quantity(bill, "Secrets read") == 744
    assert bill.usd == DATABASE


def test_five_hundred_jobs_every_five_minutes(prices: Prices, workload: Workload) -> None:
    """500 x 288 x 31 = 4,464,000 requests, each within 15 minutes of the one before: all warm.

    scheduler  497 x 0.10                                                              = 49.70
    requests   (4,464,000 - 2,000,000) / 1,000,000 x 0.40                              =  0.9856
    CPU        0.1 / 0.333 = 0.3003 s, billed as 0.4: 1,785,600 s x 0.333 = 594,604.8;
               (594,604.8 - 180,000) x 0.000024                                        =  9.9505152
    memory     1,785,600 x 0.5 = 892,800; (892,800 - 360,000) x 0.0000025              =  1.332
    images     500 x 0.12 = 60; 59.5 x 0.10                                            =  5.95
    builds     500 x 4 x 2 = 4,000; 1,500 x 0.006                                      =  9.00
    """
    bill = deployed(jobs(500, "*/5 * * * *"), SIZES, prices, workload)
    paid = usd(bill)
    assert paid["Cloud Scheduler jobs"] == Decimal("49.70")
    assert paid["Function requests"] == Decimal("0.9856")
    assert paid["Function CPU"] == Decimal("9.9505152")
    assert paid["Function memory"] == Decimal("1.332")
    assert paid["Function images"] == Decimal("5.95")
    assert paid["Builds"] == Decimal("9")
    assert "Secrets read" not in paid
    assert bill.usd == Decimal("129.6753152")
    assert cost.money(bill.usd) == "129.68"


def test_a_standby_in_another_zone_doubles_the_database_but_not_its_backups(prices: Prices, workload: Workload) -> None:
    """2 CPUs x 744 x 2 x 0.0413 = 122.9088; 7.5 GiB x 744 x 2 x 0.007 = 78.12; 200 GiB x 0.17 = 34; 100 GiB x 0.08 = 8."""
    sizes = Sizes("db-custom-2-7680", disk_gib=100, standby=True)
    assert deployed(jobs(0), sizes, prices, workload).usd == Decimal("243.0288")


def test_the_always_on_alternative_pays_for_every_second(prices: Prices, workload: Workload) -> None:
    """31 x 86,400 = 2,678,400 s: (2,678,400 - 240,000) x 0.000018 = 43.8912; 2 GiB: (5,356,800 - 450,000) x 0.000002 = 9.8136."""
    assert always_on(SIZES, prices, workload).usd == Decimal("43.8912") + Decimal("9.8136") + DATABASE


def test_messages_are_paid_for_when_they_are_published_and_when_they_are_delivered(
    prices: Prices, workload: Workload
) -> None:
    """10,000,000 of 2,000 bytes: 2 x 20,000,000,000 / 2^30 = 37.25290298... GiB; 27.25290298... x 0.0390625 = 1.0645665..."""
    busy = Workload({**workload.raw, "messages": 10_000_000, "message_bytes": 2000})
    paid = usd(deployed(jobs(0), SIZES, prices, busy))["Pub/Sub"]
    assert paid.quantize(Decimal("0.000001")) == Decimal("1.064567")


def test_a_small_message_is_billed_as_a_thousand_bytes(prices: Prices, workload: Workload) -> None:
    """1,073,741,824 messages of 250 bytes: 2 x 1,000 GiB."""
    small = Workload({**workload.raw, "messages": 2**30, "message_bytes": 250})
    assert quantity(deployed(jobs(0), SIZES, prices, small), "Pub/Sub") == 2000


def test_a_large_function_has_a_whole_cpu_and_more_makes_it_no_faster(prices: Prices, workload: Workload) -> None:
    """Daily, 2 GiB: 31 x ((0.1 + 0.303) / 1 + 1 = 1.403, billed as 1.5) = 46.5 s: 46.5 vCPU-s, 93 GiB-s. With 4 GiB two
    CPUs wait for the one thread: 93 vCPU-s, 186 GiB-s."""
    for memory, cpu, gib in (("2Gi", "46.5", "93"), ("4Gi", "93", "186")):
        bill = deployed(jobs(1, "0 22 * * *", memory=memory), SIZES, prices, workload)
        assert (quantity(bill, "Function CPU"), quantity(bill, "Function memory")) == (Decimal(cpu), Decimal(gib))


@pytest.mark.parametrize(("used", "paid"), [("0", "0"), ("2", "0"), ("3", "0"), ("4", "0.10"), ("51", "4.80")])
def test_the_free_amount_is_free_to_its_edge(prices: Prices, used: str, paid: str) -> None:
    assert cost.Line("jobs", Decimal(used), prices.of["scheduler_job"]).usd == Decimal(paid)


def test_a_thousand_units_at_a_price_for_a_million(prices: Prices) -> None:
    price = replace(prices.of["function_request"], free=Decimal(0))
    assert cost.Line("requests", Decimal(1000), price).usd == Decimal("0.0004")


@pytest.mark.parametrize(("schedule", "calls"), [
    ("* * * * *", Calls(44_640, 0)),        # 31 x 1,440
    ("*/5 * * * *", Calls(8928, 0)),        # 31 x 288
    ("*/15 * * * *", Calls(0, 2976)),       # fifteen minutes are too long for an instance to wait
    ("0 8 * * *", Calls(0, 31)),
    ("0 3 * * 0", Calls(0, 4)),             # Sundays: 6, 13, 20, 27 December
    ("0 2 1 * *", Calls(0, 1)),
    ("0 2 1 1 *", Calls(0, 0)),
    ("0,5 8 * * *", Calls(31, 31)),         # the second of a pair finds the first one's instance
])  # fmt: skip
def test_ticks_are_counted_on_the_grid(schedule: str, calls: Calls) -> None:
    assert ticks(schedule, "Asia/Shanghai", 900) == calls


def test_a_job_that_its_upstream_fires_costs_no_scheduler_and_runs_as_often(prices: Prices, workload: Workload) -> None:
    file = jobs(1)
    after = JobSpec(id="after", category="issues", depends_on=("job_0",))
    bill = deployed(replace(file, jobs={**file.jobs, "after": after}), SIZES, prices, workload)
    assert (quantity(bill, "Cloud Scheduler jobs"), quantity(bill, "Function requests")) == (1, 2 * 744)


def test_a_paused_job_is_still_a_job_of_the_scheduler(prices: Prices, workload: Workload) -> None:
    bill = deployed(jobs(4, enabled=False), SIZES, prices, workload)
    assert (usd(bill)["Cloud Scheduler jobs"], quantity(bill, "Function requests")) == (Decimal("0.10"), 0)


def test_a_function_that_no_schedule_fires_is_called_as_assumed(prices: Prices, workload: Workload) -> None:
    """22,000 requests, a tenth of them cold, a whole CPU: 19,800 x (0.05, billed as 0.1) = 1,980 s;
    2,200 x (0.353 + 1 = 1.353, billed as 1.4) = 3,080 s; 5,060 vCPU-s, and x 0.5 GiB = 2,530 GiB-s."""
    console = FunctionSpec(id="console", category="console")
    bill = deployed(CronFile(path="", functions={"console": console}), SIZES, prices, workload)
    assert (quantity(bill, "Function requests"), quantity(bill, "Function CPU")) == (22_000, 5060)
    assert quantity(bill, "Function memory") == 2530


def test_what_a_changed_schedule_adds_is_said_per_entry(prices: Prices, workload: Workload) -> None:
    """Beyond the free amounts, hourly -> every five minutes: 8,928 - 744 = 8,184 requests x 0.0000004 = 0.0032736;
    8,928 x 0.4 - 744 x 2.3 = 1,860 s: 619.38 vCPU-s x 0.000024 = 0.01486512, 930 GiB-s x 0.0000025 = 0.002325."""
    after = jobs(500, "*/5 * * * *")
    before = replace(after, jobs={**after.jobs, "job_7": replace(after.jobs["job_7"], schedule="0 * * * *")})
    (change,) = changes(before, after, SIZES, prices, workload)
    assert (change.id, change.before, change.after) == ("job_7", 744, 8928)
    assert change.usd == Decimal("0.02046372")
    assert cost.money(change.usd, sign=True) == "+0.02"


def test_a_job_more_costs_its_place_in_the_scheduler_and_its_image(prices: Prices, workload: Workload) -> None:
    """0.10, and 0.12 GiB x 0.10 = 0.012; a job less gives both back."""
    few, more = jobs(10), jobs(11)
    (added,), (gone,) = (list(changes(*pair, SIZES, prices, workload)) for pair in ((few, more), (more, few)))
    assert (added.id, added.before, added.after, added.usd) == ("job_10", 0, 744, Decimal("0.112"))
    assert (gone.before, gone.after, gone.usd) == (744, 0, Decimal("-0.112"))


def test_another_owner_changes_no_bill(prices: Prices, workload: Workload) -> None:
    before, after = jobs(3), jobs(3, owner="finance@example.com")
    assert list(changes(before, after, SIZES, prices, workload)) == []


def test_the_sizes_are_those_of_the_deployments_variables(tmp_path: Path) -> None:
    (tmp_path / "big.tfvars").write_text(
        'region        = "asia-east1"\n# database_tier = "no"\ndatabase_tier = "db-custom-4-15360"  # four CPUs\n'
        'database_standby = true\ndatabase_disk_gb = 100\noperators = ["group:a@example.com"]\n',
        "utf-8",
    )
    assert Sizes.of("big", tmp_path) == Sizes("db-custom-4-15360", 100, True, "asia-east1")


def test_what_a_deployment_leaves_unsaid_is_the_variables_default(tmp_path: Path) -> None:
    (tmp_path / "bare.tfvars").write_text('project = "p"\n', "utf-8")
    variables = (ROOT / "infra" / "variables.tf").read_text("utf-8")
    default = dict(
        re.findall(r'^variable "(\w+)" {.*?^  default +=\s+"?([\w.-]+)', variables, re.MULTILINE | re.DOTALL)
    )
    taken = Sizes.of("bare", tmp_path)
    assert taken.tier == default["database_tier"]
    assert str(taken.disk_gib) == default["database_disk_gb"]
    assert str(taken.standby).lower() == default["database_standby"]


def test_a_tier_without_a_price_is_refused(prices: Prices, workload: Workload) -> None:
    with pytest.raises(ValueError, match="db-custom-CPUS-MB"):
        deployed(jobs(0), Sizes(tier="db-perf-optimized-N-2"), prices, workload)


def test_every_price_says_where_and_when_it_was_read(prices: Prices) -> None:
    assert prices.as_of.year >= 2026
    for name, price in prices.of.items():
        assert price.source.startswith("https://cloud.google.com/"), name
        assert price.read
        assert price.price > 0
        assert price.per >= 1
        assert isinstance(price, Price)


def test_what_is_assumed_speaks_of_jobs_and_functions_that_are_there(workload: Workload) -> None:
    file = load(ROOT / "cron.yaml")
    assert set(workload.raw["ticks"]) - {"default"} <= set(file.jobs)
    assert set(workload.raw["calls"]) - {"default"} <= set(file.functions)


def test_the_table_ends_with_the_total(prices: Prices, workload: Workload) -> None:
    lines = cost.table(deployed(jobs(500, "*/5 * * * *"), SIZES, prices, workload))
    assert lines[0].split() == ["item", "a", "month", "free", "USD", "USD", "a", "month"]
    assert lines[-1].split() == ["total", "129.68"]
    assert "0.4 / 1,000,000" in next(line for line in lines if line.startswith("Function requests"))


def test_the_report_tells_the_sum_what_the_change_adds_and_what_always_on_would_cost() -> None:
    now = load(ROOT / "cron.yaml")
    sweep = replace(now.jobs["data_sync"], schedule="* * * * *")
    was = replace(
        now, jobs={**now.jobs, "data_sync": sweep, "gone": JobSpec(id="gone", category="tasks", schedule="0 8 * * *")}
    )
    told = cost.section(was, now)
    assert "by this change" in told.title
    assert "-0.11 USD a month: gone 31 -> 0 calls" in told.lines
    assert any(
        line.endswith("data_sync every minute -> every 15 minutes, 44,640 -> 2,976 calls") for line in told.lines
    )
    assert told.facts["changes"].keys() == {"data_sync", "gone"}
    assert float(told.facts["always_on_usd"]) > float(told.facts["usd"])
    assert "by this change" not in cost.section(now, now).title


def test_the_figures_in_the_readme_are_those_of_the_deployments(prices: Prices, workload: Workload) -> None:
    file, readme = load(ROOT / "cron.yaml"), (ROOT / "README.md").read_text("utf-8")
    for environment in ("prod", "staging"):
        sizes = Sizes.of(environment)
        ours, other = deployed(file, sizes, prices, workload), always_on(sizes, prices, workload)
        database = sum((line.usd for line in ours.lines if line.item.startswith("Cloud SQL")), Decimal(0))
        said = re.search(rf"^\| `{environment}` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", readme, re.MULTILINE)
        shall = (ours.usd, database, ours.usd - database, other.usd)
        assert said is not None
        off = [abs(Decimal(is_) - usd) for is_, usd in zip(said.groups(), shall, strict=True)]
        assert max(off) <= 1, f"README's table of costs is stale: `{environment}` is {[f'{usd:.0f}' for usd in shall]}"
