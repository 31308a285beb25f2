"""How large is what is paid for whether anything runs or not? The database, as a deployment's variables say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

ENVS = Path(__file__).resolve().parents[1] / "envs"


@dataclass(frozen=True)
class Sizes:
    """What infra/variables.tf takes where a deployment says nothing. A standby doubles the database."""

    tier: str = "db-custom-2-7680"
    disk_gib: int = 20
    standby: bool = False
    region: str = "us-central1"

    @classmethod
    def of(cls, environment: str = "prod", folder: Path = ENVS) -> Sizes:
        """The sizes of infra/envs/ENVIRONMENT.tfvars."""
        text = (folder / f"{environment}.tfvars").read_text("utf-8")
        said = dict(re.findall(r'^(\w+)\s*=\s*"?([\w.-]+)"?\s*(?:#.*)?$', text, re.MULTILINE))
        return cls(
            said.get("database_tier", cls.tier),
            int(said.get("database_disk_gb", cls.disk_gib)),
            said.get("database_standby", "false") == "true",
            said.get("region", cls.region),
        )

    @property
    def cpu_and_gib(self) -> tuple[Decimal, Decimal]:
        """CPUs and memory of the tier. Raises ValueError for one that is not db-custom-CPUS-MB."""
        custom = re.fullmatch(r"db-custom-(\d+)-(\d+)", self.tier)
        if custom is None:
            raise ValueError(f"database_tier {self.tier!r}: db-custom-CPUS-MB is allowed, such as db-custom-2-7680")
        return Decimal(custom[1]), Decimal(custom[2]) / 1024
