"""What did workshops report as missing by hand? Reports on both sides of yesterday's midnights."""

from infra.local.demo.materials import MATERIAL
from infra.local.demo.projects import PROJECT
from infra.local.demo.rows import Factory

# its case, project, material, reported (day, clock), resolved (day, clock)
CASES: tuple[tuple[str, str, str, tuple[int, str], tuple[int, str] | None], ...] = (
    ("昨日零点上报（计入昨日新增）", "PJ04", "ZJ-08", (-1, "00:00"), None),
    ("昨日上报并解决（计入昨日新增和解决）", "PJ04", "ZJ-09", (-1, "09:20"), (-1, "16:40")),
    ("昨日最后一分钟上报（计入昨日新增）", "PJ05", "ZJ-12", (-1, "23:59"), None),
    ("前天上报，昨日解决（只计入昨日解决）", "PJ05", "ZJ-13", (-2, "23:59"), (-1, "10:05")),
    ("前天上报，前天解决（不计入昨日）", "PJ05", "ZJ-25", (-2, "08:00"), (-2, "23:59")),
    ("十天前上报，一直未解决（不计入昨日）", "PJ06", "ZJ-15", (-10, "14:30"), None),
)


def populate(factory: Factory) -> None:
    """The cases; the number of a report says what should come of it."""
    factory.insert(
        "erp.shortage_reports", "id report_no project_id material_id report_time resolved_at status",
        [(number, f"SR-{number:03} {case}", PROJECT[project], MATERIAL[material], factory.instant(*reported),
          factory.instant(*resolved) if resolved else None, "RESOLVED" if resolved else "OPEN")
         for number, (case, project, material, reported, resolved) in enumerate(CASES, 1)],
    )
