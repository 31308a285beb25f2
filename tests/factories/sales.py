"""What is sold, and who still owes for it?"""

from datetime import timedelta
from typing import Any

from shared.erp import tables
from tests.factories.projects import Projects
from tests.factories.rows import LONG_AGO, TODAY, number


class Sales(Projects):
    """Contracts, payment plans, invoices, leads, opportunities, quotes, approvals and presale tickets."""

    def contract(self, **columns: Any) -> int:
        """A contract in force, to be delivered in months."""
        return self._row(
            tables.contracts, columns, contract_code=number("HT"), status="ACTIVE", contract_amount=1000000,
            customer_id=self.customer, project_id=self.project, owner_id=lambda: self.user("贾磊"),
            delivery_deadline=TODAY + timedelta(days=120),
        )

    def payment_plan(self, **columns: Any) -> int:
        """Money that is due in months, by a contract of its own."""
        return self._row(
            tables.project_payment_plans, columns, contract_id=self.contract, payment_name="到货款",
            planned_amount=100000, planned_date=TODAY + timedelta(days=90),
        )

    def invoice(self, **columns: Any) -> int:
        """An issued invoice that nobody has paid, due in a month."""
        return self._row(
            tables.invoices, columns, invoice_code=number("INV"), contract_id=self.contract, total_amount=100000,
            status="ISSUED", payment_status="PENDING", due_date=TODAY + timedelta(days=30),
        )

    def lead(self, **columns: Any) -> int:
        return self._row(
            tables.leads, columns, lead_code=number("LD"), owner_id=lambda: self.user("贾磊"), updated_at=LONG_AGO
        )

    def opportunity(self, **columns: Any) -> int:
        """An opportunity that nobody works on any more, so that it is late in nothing."""
        return self._row(
            tables.opportunities, columns, opp_code=number("OP"), opp_name="电芯检测线", customer_id=self.customer,
            stage="ON_HOLD", stage_entered_at=LONG_AGO, owner_id=lambda: self.user("贾磊"), est_amount=500000,
        )

    def quote(self, **columns: Any) -> int:
        """A quote that the customer has, valid for months."""
        return self._row(
            tables.quotes, columns, quote_code=number("QT"), opportunity_id=self.opportunity, status="SENT",
            valid_until=TODAY + timedelta(days=90), owner_id=lambda: self.user("贾磊"),
        )

    def approval(self, **columns: Any) -> int:
        """A step of an approval that is done."""
        return self._row(
            tables.approval_records, columns, entity_type="QUOTE", entity_id=self.quote, step_name="商务审批",
            approver_id=lambda: self.user("蔡明"), status="APPROVED", step_started_at=LONG_AGO,
        )

    def presale_ticket(self, **columns: Any) -> int:
        """A consultation that is done."""
        return self._row(
            tables.presale_tickets, columns, ticket_no=number("PS"), title="产线节拍咨询", ticket_type="CONSULT",
            status="COMPLETED", applicant_id=lambda: self.user("贾磊"), assignee_id=lambda: self.user("丁宁"),
            created_at=LONG_AGO,
        )
