"""`tick JOB`: one tick, posted as Cloud Scheduler posts it, to the cloud that is up; prints the function's answer."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.commands.outcome import BadInputError, OutOfReachError, instant, parser
from infra.local.home import Home

PATIENCE = 1800.0  # seconds; no function may take longer


def main(argv: Sequence[str]) -> int:
    asked = parser("tick", __doc__)
    asked.add_argument("job", metavar="JOB", help="id of a job of cron.yaml")
    asked.add_argument("--at", metavar="T", help="the tick, with its offset; without it: a run by hand, now")
    asked.add_argument("--dry-run", action="store_true", help="change nothing, list what would be done")
    options = asked.parse_args(argv)
    if not options.job.isidentifier():
        raise BadInputError(
            f"JOB {options.job!r}: the id of a job of cron.yaml is allowed, such as check_overdue_issues"
        )
    at = instant("--at", options.at).isoformat() if options.at else None
    headers = {"Content-Type": "application/json", "User-Agent": "Google-Cloud-Scheduler"}
    body: dict[str, Any] = {"job": options.job}
    if options.dry_run:
        body |= {"dry_run": True} | ({"run_at": at} if at else {})
    elif at:
        headers |= {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": options.job}
        headers["X-CloudScheduler-ScheduleTime"] = at
    else:
        body |= {"kind": "manual"}
    status, answer = _post(f"{_url(options.home)}/functions/{options.job}", headers, body)
    refused = answer.get("error") if status >= 400 else None
    if refused:
        print(f"{options.job}: HTTP {status}, {refused.get('field') or refused.get('code')}: {refused.get('message')}"
              + (f"; allowed: {refused['allowed']}" if refused.get("allowed") else ""), file=sys.stderr)  # fmt: skip
    elif not options.json:
        _tell(answer)
    print(json.dumps(answer, ensure_ascii=False))
    return 0 if status < 400 else 2 if status < 500 else 4


def _url(folder: Path) -> str:
    url = Home(folder).environment().get("BELFRY_URL")
    if url is None:
        raise OutOfReachError(f"--home {folder}: no local cloud was ever started there; `make run` starts one")
    return url


def _post(url: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310  # our own URL
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _error(error.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        raise OutOfReachError(f"{url} does not answer ({error}); `make run` starts the local cloud") from error


def _error(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    return (
        found
        if isinstance(found, dict)
        else {"error": {"code": "no_json", "message": content[:300].decode("utf-8", "replace")}}
    )


def _tell(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        if isinstance(value, list) and value:
            print(f"{name}:")
            print("\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in value))
        elif value not in (None, [], {}):
            print(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
