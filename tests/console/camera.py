"""How does a test look at a page? Real Chromium on a real functions-framework process, and pictures for people to judge."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.conftest import ROOT
from tests.processes import served

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that `make test` installs."""
    if shutil.which(CHROMIUM) is None:
        pytest.fail(
            f"{CHROMIUM} is missing: apt-get install chromium fonts-noto-cjk (make test does it)", pytrace=False
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def console(database_url: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The console as its own process; its address without the slash."""
    given = {
        "DATABASE_URL": database_url,
        "PYTHONPATH": str(ROOT),
        "BELFRY_MANAGE_TOKEN": "m" * 40,
        **(environment or {}),
    }
    source = ROOT / "functions" / "console" / "console.py"
    with served("console", ROOT, given, source=source) as one:
        yield one.url.rstrip("/")


def visitor(
    browser: Browser,
    address: str,
    *,
    size: tuple[int, int] = DESKTOP,
    lang: str = "zh",
    theme: str = "light",
    script: bool = True,
) -> BrowserContext:
    """A fresh browser profile with its preferences set."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale="zh-CN" if lang == "zh" else "en-GB",
        java_script_enabled=script,
        color_scheme="dark" if theme == "dark" else "light",
        base_url=address,
    )
    context.add_cookies(
        [{"name": name, "value": value, "url": address} for name, value in (("lang", lang), ("theme", theme))]
    )
    context.set_default_timeout(15_000)
    return context


def sign_in(context: BrowserContext, username: str) -> Page:
    """Choose a demo person on the sign-in page, by mouse."""
    page = context.new_page()
    page.goto(f"/sign-in?as={username}")
    page.locator(".people button").first.click()
    page.wait_for_url("**/")
    return page


def picture(page: Page, folder: Path, name: str) -> Path:
    """The whole page as a file; BELFRY_SCREENSHOTS names a folder that outlives the test."""
    folder = Path(os.environ.get("BELFRY_SCREENSHOTS") or folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=True, animations="disabled")
    return path
