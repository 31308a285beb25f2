-- What the jobs of sales and receivables read: contracts and their payment plans, invoices, leads, opportunities, quotes, approvals and
-- presale tickets. Each partial index is the set that a daily scan starts from.

-- ---------------------------------------------------------------- contracts and money
create table erp.contracts (
  id bigint generated always as identity primary key,
  contract_code text unique not null,
  customer_id bigint references erp.customers,
  project_id bigint references erp.projects,
  contract_amount numeric(14,2),
  status text not null default 'DRAFT' check (status in ('DRAFT', 'IN_REVIEW', 'SIGNED', 'ACTIVE', 'CLOSED', 'CANCELLED')),
  delivery_deadline date,
  owner_id bigint references erp.users);
create index contracts_to_deliver on erp.contracts (delivery_deadline) where status in ('SIGNED', 'ACTIVE');

create table erp.project_payment_plans (
  id bigint generated always as identity primary key,
  project_id bigint references erp.projects,
  contract_id bigint references erp.contracts,
  payment_name text not null,
  payment_type text,
  planned_amount numeric(14,2) not null,
  actual_amount numeric(14,2) not null default 0,
  planned_date date,
  status text not null default 'PENDING' check (status in ('PENDING', 'INVOICED', 'PARTIAL', 'COMPLETED', 'CANCELLED')),
  milestone_id bigint references erp.project_milestones);
create index open_payment_plans on erp.project_payment_plans (planned_date) where status in ('PENDING', 'INVOICED', 'PARTIAL');

create table erp.invoices (
  id bigint generated always as identity primary key,
  invoice_code text unique not null,
  contract_id bigint references erp.contracts,
  project_id bigint references erp.projects,
  amount numeric(14,2),
  total_amount numeric(14,2),
  paid_amount numeric(14,2) not null default 0,
  status text not null check (status in ('DRAFT', 'APPLIED', 'APPROVED', 'ISSUED', 'VOID')),
  payment_status text check (payment_status in ('PENDING', 'PARTIAL', 'PAID')),
  issue_date date,
  due_date date,
  dispute_status text);
create index unpaid_invoices on erp.invoices (due_date) where status = 'ISSUED' and (payment_status <> 'PAID' or payment_status is null);

-- ---------------------------------------------------------------- sales
create table erp.leads (
  id bigint generated always as identity primary key,
  lead_code text unique not null,
  status text not null default 'NEW',
  owner_id bigint references erp.users,
  gate_submitted_at timestamptz,
  updated_at timestamptz not null);
create index leads_at_their_gate on erp.leads (gate_submitted_at) where status = 'QUALIFYING';

create table erp.opportunities (
  id bigint generated always as identity primary key,
  opp_code text unique not null,
  opp_name text not null,
  customer_id bigint references erp.customers,
  stage text not null default 'DISCOVERY' check (stage in ('DISCOVERY', 'QUALIFIED', 'PROPOSAL', 'NEGOTIATION', 'WON', 'LOST', 'ON_HOLD')),
  stage_entered_at timestamptz not null,
  gate_code text,
  gate_status text check (gate_status in ('PENDING', 'PASS', 'REJECT')),
  gate_submitted_at timestamptz,
  owner_id bigint references erp.users,
  est_amount numeric(14,2));
create index running_opportunities on erp.opportunities (stage_entered_at) where stage in ('DISCOVERY', 'QUALIFIED', 'PROPOSAL', 'NEGOTIATION');
create index opportunities_at_their_gate on erp.opportunities (gate_submitted_at) where gate_status = 'PENDING';

create table erp.quotes (
  id bigint generated always as identity primary key,
  quote_code text unique not null,
  opportunity_id bigint references erp.opportunities,
  status text not null check (status in ('DRAFT', 'IN_REVIEW', 'APPROVED', 'SENT', 'EXPIRED', 'REJECTED')),
  valid_until date,
  owner_id bigint references erp.users);
create index quotes_on_offer on erp.quotes (valid_until) where status in ('IN_REVIEW', 'SENT');

create table erp.approval_records (
  id bigint generated always as identity primary key,
  entity_type text not null,
  entity_id bigint not null,
  step_name text,
  approver_id bigint references erp.users,
  approver_role text,
  status text not null default 'PENDING',
  step_started_at timestamptz not null,
  due_hours int);
create index pending_approvals on erp.approval_records (step_started_at) where status = 'PENDING';

create table erp.presale_tickets (
  id bigint generated always as identity primary key,
  ticket_no text unique not null,
  title text not null,
  ticket_type text not null check (ticket_type in ('CONSULT', 'SURVEY', 'SOLUTION', 'QUOTATION', 'TENDER', 'MEETING', 'SITE_VISIT', 'OTHER')),
  urgency text not null default 'NORMAL' check (urgency in ('NORMAL', 'URGENT', 'VERY_URGENT')),
  status text not null default 'PENDING' check (status in ('PENDING', 'ACCEPTED', 'PROCESSING', 'REVIEW', 'COMPLETED', 'CLOSED', 'CANCELLED')),
  applicant_id bigint references erp.users,
  assignee_id bigint references erp.users,
  created_at timestamptz not null,
  deadline timestamptz);
create index presale_tickets_at_work on erp.presale_tickets (created_at) where status in ('PENDING', 'ACCEPTED', 'PROCESSING');

-- ---------------------------------------------------------------- what only Belfry knows of an approval
create table belfry.approval_overdue (
  approval_id bigint primary key,            -- a row means: overdue
  overdue_since timestamptz not null,
  execution_id uuid);

-- ---------------------------------------------------------------- rules
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('OVERDUE_RECEIVABLE', '{"zh": "逾期应收", "en": "Overdue receivable"}', 'FINANCIAL', 'INVOICE', '{}', true);
