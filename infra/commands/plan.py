"""`plan`: what a deployment would change; makes nothing but the archives and the bucket of Terraform's own state."""

import json
from collections.abc import Sequence

from infra.commands.outcome import parser
from infra.deploying.environment import Environment
from infra.deploying.planning import counted, planned


def main(argv: Sequence[str]) -> int:
    asked = parser("plan", __doc__)
    asked.add_argument("environment", help="one of infra/envs: staging, prod")
    options = asked.parse_args(argv)
    environment = Environment.read(options.environment)
    _, _, shown = planned(environment, quiet=options.json)
    print(json.dumps({"environment": environment.environment, **counted(shown)}))
    return 0
