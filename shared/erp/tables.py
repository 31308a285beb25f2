"""Which tables and columns of the company's own system do the jobs read? The contract.

Locally they are real tables (infra/migrations/sql/0003_erp.sql); a company makes views of the same names and columns.
"""

from sqlalchemy import MetaData

from shared.erp.columns import table

erp = MetaData(schema="erp")

# People
departments = table(
    erp, "departments", ids="id parent_id manager_user_id", words="dept_code dept_name", flags="is_active",
)
positions = table(erp, "positions", ids="id", words="position_code position_name")
users = table(
    erp, "users", ids="id department_id position_id manager_id",
    words="username real_name email phone wechat_userid language time_zone", flags="is_active is_superuser",
)
roles = table(erp, "roles", ids="id", words="role_code role_name", lists="permissions", flags="is_active")
user_roles = table(erp, "user_roles", key="user_id role_id", ids="user_id role_id")

# Projects
customers = table(erp, "customers", ids="id", words="customer_name")
projects = table(
    erp, "projects", ids="id customer_id pm_id dept_id",
    words="project_code project_name stage status health", numbers="progress_pct budget_amount actual_cost",
    days="planned_start_date planned_end_date actual_start_date actual_end_date", flags="is_active is_archived",
)
machines = table(erp, "machines", ids="id project_id", words="machine_code machine_name")
project_milestones = table(
    erp, "project_milestones", ids="id project_id owner_id", words="milestone_code milestone_name status",
    days="planned_date actual_date", flags="is_key", counts="reminder_days",
)
project_tasks = table(
    erp, "project_tasks", ids="id project_id milestone_id owner_id", words="task_name status",
    days="plan_start plan_end actual_start actual_end", counts="progress_percent", numbers="weight",
    flags="is_critical", instants="updated_at",
)
project_costs = table(
    erp, "project_costs", ids="id project_id source_id",
    words="cost_type cost_category source_module source_type source_no description",
    days="period cost_date", numbers="amount hours", uuids="run_id",
)

# Issues
issues = table(
    erp, "issues", ids="id project_id task_id reporter_id assignee_id",
    words="issue_no title category issue_type severity priority status", flags="is_blocking",
    days="due_date", instants="created_at resolved_at closed_at last_follow_up_at",
)
issue_follow_ups = table(
    erp, "issue_follow_ups", ids="id issue_id operator_id",
    words="follow_up_type content operator_name old_value new_value", uuids="run_id", instants="created_at",
)

# Engineering changes
ecns = table(erp, "ecns", ids="id project_id applicant_id", words="ecn_no ecn_title status")
ecn_evaluations = table(
    erp, "ecn_evaluations", ids="id ecn_id evaluator_id", words="eval_dept status", instants="created_at due_at"
)
ecn_approvals = table(
    erp, "ecn_approvals", ids="id ecn_id approver_id", counts="approval_level", words="approval_role status",
    instants="created_at due_at",
)
ecn_tasks = table(erp, "ecn_tasks", ids="id ecn_id assignee_id", words="task_name status", days="planned_end")

# Materials and bills of material
suppliers = table(erp, "suppliers", ids="id", words="supplier_code supplier_name")
warehouses = table(erp, "warehouses", ids="id keeper_id", words="warehouse_code warehouse_name", flags="is_active")
materials = table(
    erp, "materials", ids="id default_supplier_id buyer_id",
    words="material_code material_name specification brand model unit material_type abc_class",
    flags="is_key_material is_active", numbers="safety_stock min_order_qty standard_price", counts="lead_time_days",
)
inventories = table(
    erp, "inventories", ids="id material_id warehouse_id", words="batch_no",
    numbers="quantity reserved_qty frozen_qty", instants="last_counted_at updated_at",
)
bom_headers = table(
    erp, "bom_headers", ids="id project_id machine_id material_id", words="bom_no status", flags="is_latest"
)
bom_items = table(
    erp, "bom_items", ids="id bom_id material_id", words="specification brand model",
    numbers="quantity unit_price received_qty", days="required_date", flags="is_key_item", instants="updated_at",
)

# Purchasing
purchase_orders = table(
    erp, "purchase_orders", ids="id supplier_id project_id buyer_id", words="order_no status order_title",
    days="required_date promised_date",
)
purchase_order_items = table(
    erp, "purchase_order_items", ids="id order_id material_id bom_item_id", words="specification brand model",
    numbers="quantity received_qty unit_price", days="required_date promised_date", instants="updated_at",
)
goods_receipts = table(erp, "goods_receipts", ids="id order_id", words="receipt_no status", days="receipt_date")
goods_receipt_items = table(
    erp, "goods_receipt_items", ids="id receipt_id order_item_id", numbers="received_qty qualified_qty",
    days="expected_date",
)

# Outsourcing, specifications, shortage reports and the stock ledger
outsourcing_orders = table(
    erp, "outsourcing_orders", ids="id vendor_id project_id buyer_id", words="order_no order_title status",
    days="required_date estimated_date actual_date",
)
spec_requirements = table(
    erp, "spec_requirements", ids="id project_id",
    words="material_code material_name specification brand model requirement_level", documents="key_parameters",
    instants="updated_at",
)
shortage_reports = table(
    erp, "shortage_reports", ids="id project_id work_order_id material_id", words="report_no status",
    instants="report_time resolved_at",
)
inventory_transactions = table(
    erp, "inventory_transactions", ids="id inventory_id source_id", words="type source_type", numbers="quantity",
    instants="occurred_at",
)

# Production
workshops = table(
    erp, "workshops", ids="id manager_id", words="workshop_code workshop_name", numbers="daily_hours", flags="is_active"
)
workers = table(
    erp, "workers", ids="id user_id workshop_id", words="worker_no worker_name status", days="entry_date leave_date"
)
worker_leaves = table(erp, "worker_leaves", key="worker_id day", ids="worker_id", days="day", numbers="hours")
production_plans = table(
    erp, "production_plans", ids="id project_id workshop_id owner_id", words="plan_no plan_name plan_type status",
    days="plan_start_date plan_end_date", numbers="progress",
)
work_orders = table(
    erp, "work_orders",
    ids="id project_id machine_id bom_id production_plan_id workshop_id assigned_worker_id equipment_id",
    words="work_order_no task_name status priority", numbers="plan_qty completed_qty standard_hours",
    days="plan_start_date plan_end_date", instants="actual_start_time",
)
equipment = table(
    erp, "equipment", ids="id workshop_id keeper_id", words="equipment_code equipment_name status",
    counts="maintenance_cycle_days", days="last_maintenance_date next_maintenance_date", flags="is_key is_active",
)
work_reports = table(
    erp, "work_reports", ids="id work_order_id worker_id", words="report_type status", instants="report_time",
    numbers="work_hours completed_qty qualified_qty defect_qty",
)
production_exceptions = table(
    erp, "production_exceptions", ids="id workshop_id work_order_id", words="exception_no exception_type status",
    instants="report_time resolved_at",
)
outsourcing_order_items = table(
    erp, "outsourcing_order_items", ids="id order_id material_id", numbers="quantity received_qty"
)
sales_order_lines = table(
    erp, "sales_order_lines", ids="id material_id", words="order_no", counts="line_no priority", numbers="open_qty",
    days="due_date",
)

# People's time
resource_allocations = table(
    erp, "resource_allocations", ids="id user_id project_id task_id", words="status",
    days="start_date end_date", numbers="allocation_percent planned_hours",
)
timesheets = table(
    erp, "timesheets", ids="id user_id project_id", words="overtime_type status", days="work_date", numbers="hours",
    instants="approved_at",
)
hourly_rates = table(
    erp, "hourly_rates", ids="id user_id role_id dept_id", words="scope", numbers="hourly_rate",
    days="effective_date expiry_date", flags="is_active",
)

# Sales and receivables
contracts = table(
    erp, "contracts", ids="id customer_id project_id owner_id", words="contract_code status",
    numbers="contract_amount", days="delivery_deadline",
)
project_payment_plans = table(
    erp, "project_payment_plans", ids="id project_id contract_id milestone_id",
    words="payment_name payment_type status", numbers="planned_amount actual_amount", days="planned_date",
)
invoices = table(
    erp, "invoices", ids="id contract_id project_id", words="invoice_code status payment_status dispute_status",
    numbers="amount total_amount paid_amount", days="issue_date due_date",
)
leads = table(erp, "leads", ids="id owner_id", words="lead_code status", instants="gate_submitted_at updated_at")
opportunities = table(
    erp, "opportunities", ids="id customer_id owner_id", words="opp_code opp_name stage gate_code gate_status",
    instants="stage_entered_at gate_submitted_at", numbers="est_amount",
)
quotes = table(erp, "quotes", ids="id opportunity_id owner_id", words="quote_code status", days="valid_until")
approval_records = table(
    erp, "approval_records", ids="id entity_id approver_id", words="entity_type step_name approver_role status",
    instants="step_started_at", counts="due_hours",
)
presale_tickets = table(
    erp, "presale_tickets", ids="id applicant_id assignee_id", words="ticket_no title ticket_type urgency status",
    instants="created_at deadline",
)

# Tasks, duties and logs
work_tasks = table(
    erp, "work_tasks", ids="id source_id project_id creator_id assignee_id",
    words="task_code title task_type category source_type status priority",
    counts="progress time_progress reminder_before_hours", numbers="estimated_hours", flags="reminder_enabled",
    days="plan_date",
    instants="expected_start expected_end actual_start actual_end deadline created_at updated_at",
)
job_duty_templates = table(
    erp, "job_duty_templates", ids="id position_id department_id",
    words="duty_name duty_description frequency default_priority",
    counts="day_of_week day_of_month month_of_year generate_before_days deadline_offset_days",
    numbers="estimated_hours", flags="skip_rest_days auto_generate is_active",
)
system_logs = table(
    erp, "system_logs", key="id at", ids="id", words="level module message", documents="context", instants="at"
)
