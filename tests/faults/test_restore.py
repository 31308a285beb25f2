"""Postgres comes back to an earlier hour: nobody is told twice before an operator says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import ROOT


@pytest.mark.fault(row=60, injected="Postgres lost; backup and log bring it back to an earlier hour",
                   expected="no resend without --resend")  # fmt: skip
def test_row_60_after_a_restoration_nothing_is_sent_twice_without_resend(seen: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "infra", "drill", "--json"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.stdout.strip(), done.stderr[-3000:]
    saw = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, saw["good"]) == (0, True), saw
    assert saw["forgotten"] == saw["sent_in_the_lost_hour"] > 0  # the hour was really forgotten
    assert saw["twice"] == 0
    assert saw["held"] >= saw["forgotten"]
    assert saw["in_app"] > 0  # the inboxes are whole again
    # The same mails, on an operator's word: what was held would have been told twice.
    assert saw["twice_after_resend"] >= saw["forgotten"]
    seen(f"{saw['forgotten']} forgotten, {saw['held']} held, {saw['twice']} twice")
