"""python -m tests.bench [--quick] [NAME ...]: measure, print one table, write results.json. Always exit 0 unless a
benchmark could not run: a target that is missed is a line that says so."""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.bench import cold_start, due_storm, invoke, report, round_trips, scan
from tests.bench.world import warm_bytecode, world

BENCHMARKS = {
    "invoke": invoke.measure,
    "round_trips": round_trips.measure,
    "cold_start": cold_start.measure,
    "due_storm": due_storm.measure,
    "scan": scan.measure,  # and rerun
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}")
    warm_bytecode()
    results = []
    with world() as here:
        for name, measure in BENCHMARKS.items():
            if asked.names and name not in asked.names:
                continue
            began = time.monotonic()
            here.settle()
            results += measure(here, quick=asked.quick)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    report.write(results, quick=asked.quick)
    print(report.table(results))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end; all figures in {report.RESULTS}")


if __name__ == "__main__":
    main()
