"""Which columns of the alert tables do business queries read? shared/alerts.py alone writes them."""

from sqlalchemy import ARRAY, BigInteger, Boolean, DateTime, Text, column, literal_column, table
from sqlalchemy.dialects.postgresql import JSONB

alert_rules = table(
    "alert_rules",
    column("id", BigInteger),
    column("rule_code", Text),
    column("rule_type", Text),
    column("is_enabled", Boolean),
    schema="belfry",
)
alert_records = table(
    "alert_records",
    column("id", BigInteger),
    column("alert_no", Text),
    column("rule_id", BigInteger),
    column("target_type", Text),
    column("target_id", BigInteger),
    column("target_no", Text),
    column("target_name", Text),
    column("project_id", BigInteger),
    column("base_level", Text),
    column("alert_level", Text),
    column("facts", JSONB),
    column("recipients", ARRAY(Text)),
    column("status", Text),
    column("handle_result", Text),
    column("level_changed_at", DateTime(timezone=True)),
    schema="belfry",
)
# Written as literals, so that the planner can prove the partial indexes of open alerts.
is_open = alert_records.c.status.in_(
    [literal_column(f"'{word}'") for word in ("PENDING", "ACKNOWLEDGED", "PROCESSING")]
)
