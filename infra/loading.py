"""Does every function load as functions-framework would serve it?

`python -m infra.loading` prints one JSON object, id: error or null. A process of its own: what a broken module does to
an interpreter stays there.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import functions_framework

from shared.cronfile.loading import load
from shared.cronfile.specs import FunctionSpec

ROOT = Path(__file__).resolve().parents[1]


def problem(function: FunctionSpec) -> str | None:
    """Why it would not be served; none: it would."""
    source = ROOT / "functions" / function.category / f"{function.id}.py"
    if not source.is_file():
        return f"{source.relative_to(ROOT)} is not there"
    try:
        functions_framework.create_app(  # type: ignore[no-untyped-call]
            target=function.id, source=str(source), signature_type="http"
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a module raises while it loads
        return f"{type(error).__name__}: {error}"
    return None


def main() -> int:
    file = load(ROOT / "cron.yaml")
    with contextlib.redirect_stdout(sys.stderr):
        found = {function.id: problem(function) for function in (*file.functions.values(), *file.jobs.values())}
    print(json.dumps(found, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
