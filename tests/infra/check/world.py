"""A small cron.yaml in a git repository of its own, and what check says of an edit of it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from shared.cronfile.loading import parse
from shared.cronfile.specs import CronFile

AT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)  # a Monday, 09:30 in Shanghai
FILE = """\
version: 1
database: {connections: 40}
defaults: {grace: 300, max_instances: 1, pool: 2}
functions:
  console:
    name: {zh: 管理台, en: Console}
    category: console
    owner: platform@example.com
    max_instances: 4
jobs:
  check_cost:
    name: {zh: 成本, en: Cost}
    description: {zh: 比较成本。, en: Compares cost.}
    category: finance
    owner: finance@example.com
    schedule: "0 10 * * *"
    timeout: 120
    params: {levels: {warning: 80, urgent: 120}, roles: [FIN]}
    params_schema: {properties: {levels: {type: object}, roles: {type: array}}}
    reads: [erp.projects, erp.costs]
    sla: {max_duration: 60, finish_by: "11:00"}
  check_kit:
    name: {zh: 齐套, en: Kits}
    description: {zh: 检查齐套。, en: Checks kits.}
    category: materials
    owner: supply@example.com
    risk: HIGH
    runbook: Run it again.
    schedule: "0 6 * * *"
  check_shortage:
    name: {zh: 缺料, en: Shortage}
    description: {zh: 检查缺料。, en: Checks shortage.}
    category: materials
    owner: supply@example.com
    schedule: "0 7 * * *"
    depends_on: [check_kit]
  sum_up:
    name: {zh: 汇总, en: Sums}
    description: {zh: 汇总。, en: Sums up.}
    category: materials
    owner: supply@example.com
    depends_on: [check_kit]
  sync:
    name: {zh: 同步, en: Sync}
    description: {zh: 同步。, en: Syncs.}
    category: integration
    owner: platform@example.com
    schedule: "*/30 * * * *"
    reason: lorries come by the half hour
"""


def edited(*edits: tuple[str, str]) -> str:
    """The file with each text, which stands in it once, replaced."""
    text = FILE
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands in the file {text.count(old)} times"
        text = text.replace(old, new)
    return text


def without(job: str) -> str:
    """The file without one job."""
    before, _, rest = FILE.partition(f"  {job}:\n")
    lines = rest.splitlines(keepends=True)
    left = next((number for number, line in enumerate(lines) if not line.startswith("    ")), len(lines))
    return before + "".join(lines[left:])


def read(text: str) -> CronFile:
    return parse(text.encode(), Path("cron.yaml"), at=AT)


class Repository:
    """A repository with cron.yaml committed on main."""

    def __init__(self, folder: Path, text: str = FILE) -> None:
        self.folder, self.path = folder, folder / "cron.yaml"
        self.git("init", "-q", "-b", "main")
        self.commit(text)

    def git(self, *arguments: str) -> str:
        settings = ("-c", "user.name=belfry", "-c", "user.email=belfry@example.com", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *settings, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, text: str) -> None:
        self.path.write_text(text, "utf-8")

    def commit(self, text: str | bytes) -> str:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "as it is")
        return self.git("rev-parse", "--short", "HEAD")
