"""In a real browser, on the real function: it works by mouse and by keyboard, with a script and without, in both languages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Connection, text

from functions.console.moments import utc_now
from shared import executions
from shared.cronfile.loading import load
from shared.db import set_clock
from tests.conftest import ROOT, Perform
from tests.console import camera
from tests.console.camera import DESKTOP, PHONE
from tests.console.conftest import Listener
from tests.console.scenery import furnish

JOB = "check_overdue_issues"


@dataclass(frozen=True)
class Stage:
    """A furnished house with its console open."""

    address: str
    browser: Browser
    db: Connection


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with camera.chromium() as browser:
        yield browser


@pytest.fixture
def stage(chromium: Browser, db: Connection, database_url: str, perform: Perform) -> Iterator[Stage]:
    furnish(db, perform)
    with camera.console(database_url) as address:
        yield Stage(address, chromium, db)


@pytest.fixture
def open_as(stage: Stage) -> Iterator[object]:
    contexts: list[BrowserContext] = []

    def visit(username: str, **how: object) -> Page:
        context = camera.visitor(stage.browser, stage.address, **how)  # type: ignore[arg-type]
        contexts.append(context)
        return camera.sign_in(context, username)

    yield visit
    for context in contexts:
        context.close()


def run_tick(db: Connection, job_id: str) -> None:
    """What a tick of the wall clock does to the ledger."""
    tick = utc_now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    set_clock(db, tick)
    claim = executions.claim(db, job_id, tick, "scheduled", lease=90, owner="test")
    executions.finish(db, claim.execution_id, claim.fence, "failed", reason="error", error_text="电源断开")
    set_clock(db, None)


def places(db: Connection) -> dict[str, str]:
    alert = db.execute(
        text(
            "select id from belfry.alert_records where status = 'PENDING' order by belfry.level_rank(alert_level) desc, id limit 1"
        )
    )
    told = db.execute(
        text("select execution_id from belfry.notification_deliveries where execution_id is not null limit 1")
    )
    return {
        "jobs": "/",
        "platform": "/?platform=1",
        "job": f"/jobs/{JOB}",
        "run": f"/jobs/{JOB}/run",
        "execution": f"/executions/{told.scalar_one()}",
        "failed": "/jobs/check_delivery_delay",
        "alerts": "/alerts",
        "done": "/alerts?show=done",
        "alert": f"/alerts/{alert.scalar_one()}",
        "inbox": "/inbox",
        "missing": "/nothing",
    }


@pytest.mark.parametrize(
    ("size", "lang", "theme"),
    [(DESKTOP, "zh", "light"), (DESKTOP, "en", "dark"), (PHONE, "zh", "dark"), (PHONE, "en", "light")],
    ids=["desktop-zh-light", "desktop-en-dark", "phone-zh-dark", "phone-en-light"],
)
def test_every_page_fits_its_screen_and_breaks_no_policy(
    stage: Stage, open_as: object, tmp_path: Path, size: tuple[int, int], lang: str, theme: str
) -> None:
    assert callable(open_as)
    page: Page = open_as("suhui", size=size, lang=lang, theme=theme)
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name, path in places(stage.db).items():
        page.goto(path)
        camera.picture(page, tmp_path, f"{name}-{size[0]}-{lang}-{theme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        assert page.evaluate("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[lang]
        assert page.locator("h1").count() == 1, name
        unnamed = page.locator("a, button, input:not([type=hidden]), select, textarea, progress").evaluate_all(
            "all => all.filter(e => !(e.innerText || e.labels?.length || e.ariaLabel || e.title)).map(e => e.outerHTML)"
        )
        assert unnamed == [], name
    assert [c for c in complaints if "404" not in c] == []


def test_a_tick_appears_by_itself_within_five_seconds(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("viewer")
    row = page.locator("tr[data-key=daily_kit_check]")
    expect(row).to_contain_text("正常")
    before = page.title()
    run_tick(stage.db, "daily_kit_check")
    expect(row).to_contain_text("异常", timeout=5_000)
    assert page.title() != before
    assert page.title().startswith("(2)")


def test_the_page_holds_still_while_somebody_types(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("admin")
    alert = places(stage.db)["alert"]
    page.goto(alert)
    page.locator("textarea[name=note]").fill("正在联系供应商")
    with page.expect_response(lambda response: "live=1" in response.url, timeout=15_000) as looked:
        stage.db.execute(
            text("update belfry.alert_records set handle_result = '别人写的' where id = :id"),
            {"id": int(alert.rsplit("/", 1)[1])},
        )
        page.locator("h1").click()
    assert looked.value.ok
    expect(page.locator("textarea[name=note]")).to_have_value("正在联系供应商")


def test_run_now_asks_first_and_needs_a_reason(stage: Stage, open_as: object, listener: Listener) -> None:
    assert callable(open_as)
    stage.db.execute(text("update belfry.jobs set target_uri = :url"), {"url": listener.url})
    page: Page = open_as("owner")
    page.locator(f"tr[data-key={JOB}] a.button").first.click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("执行一次：问题逾期预警")
    dialog.locator("button.main").click()
    expect(dialog).to_be_visible()  # the browser asks for the reason
    assert listener.asked == []
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert page.evaluate("document.activeElement.textContent") == "执行一次"
    page.keyboard.press("Enter")
    dialog.locator("input[name=reason]").fill("补录昨天的问题")
    dialog.locator("button.main").click()
    page.wait_for_url("**/executions/*")
    expect(page.locator("main")).to_contain_text("补录昨天的问题")
    assert [asked["kind"] for asked in listener.asked] == ["manual"]


def test_a_viewer_sees_no_buttons(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("viewer")
    expect(page.locator("table.jobs")).to_be_visible()
    assert page.locator("a[data-dialog]").count() == 0


def test_an_alert_is_acknowledged_and_resolved_by_keyboard_alone(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("admin")
    page.goto(places(stage.db)["alert"])
    page.locator("textarea[name=note]").focus()
    page.keyboard.type("已知悉")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".head .state")).to_contain_text("已确认")
    page.get_by_role("button", name="已解决").press("Enter")
    expect(page.locator(".head .state")).to_contain_text("已解决")
    expect(page.locator("ol.life")).to_contain_text("已知悉")


def test_filters_apply_at_once_and_stay_in_the_address(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("viewer")
    page.get_by_label("分类").select_option("issues")
    page.wait_for_url("**/?category=issues")
    of_issues = [job for job in load(ROOT / "cron.yaml").jobs.values() if job.category == "issues"]
    expect(page.locator("tr[data-key]")).to_have_count(len(of_issues))
    page.reload()
    expect(page.get_by_label("分类")).to_have_value("issues")


def test_language_and_light_change_in_place(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("viewer", theme="light")
    page.goto("/?category=issues")
    page.get_by_role("link", name="English").click()
    expect(page.locator("nav[aria-label=Main]")).to_contain_text("Jobs")
    assert "category=issues" in page.url
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-link]").click()  # light -> as the system
    page.locator("[data-theme-link]").click()  # -> dark
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground


def test_everything_works_without_a_script(stage: Stage, open_as: object, listener: Listener) -> None:
    assert callable(open_as)
    stage.db.execute(text("update belfry.jobs set target_uri = :url"), {"url": listener.url})
    page: Page = open_as("admin", script=False)
    page.locator("select[name=category]").select_option("issues")
    page.get_by_role("button", name="筛选").click()
    page.locator(f"tr[data-key={JOB}] a.button").first.click()
    page.locator("input[name=reason]").fill("无脚本")
    page.locator("form.ask button.main").click()
    page.wait_for_url("**/executions/*")
    assert len(listener.asked) == 1


def test_the_first_tab_leads_past_the_navigation(stage: Stage, open_as: object) -> None:
    assert callable(open_as)
    page: Page = open_as("viewer")
    page.goto("/alerts")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
