"""What changed about an account? The rule in Python and its twin in SQL are asked the same."""

from shared.rules.accounts import Known, Seen

A, B = "a" * 64, "b" * 64
PLAIN, ADMIN, OTHER = Seen(False, False, A), Seen(True, False, A), Seen(False, False, B)

# known, seen, change, alarming
CASES = [
    (None, PLAIN, "ADD", False), (None, ADMIN, "ADD", True),
    (Known(True, False, False, A), PLAIN, None, False),
    (Known(True, False, False, A), OTHER, "MODIFY_PRIVILEGE", False),
    (Known(True, False, False, A), ADMIN, "MODIFY_PRIVILEGE", True),
    (Known(True, True, False, A), ADMIN, None, False),
    (Known(True, True, False, A), PLAIN, "MODIFY_PRIVILEGE", False),
    (Known(True, True, False, B), ADMIN, "MODIFY_PRIVILEGE", False),
    (Known(True, False, False, A), Seen(False, True, A), "MODIFY_OTHER", False),
    (Known(True, False, None, A), PLAIN, "MODIFY_OTHER", False),
    (Known(True, False, True, A), Seen(False, None, A), "MODIFY_OTHER", False),
    (Known(True, False, None, A), Seen(False, None, A), None, False),
    (Known(True, False, False, A), Seen(True, True, B), "MODIFY_PRIVILEGE", True),
    (Known(False, False, False, A), PLAIN, "REACTIVATE", False),
    (Known(False, True, False, A), ADMIN, "REACTIVATE", True),
    (Known(False, False, False, A), ADMIN, "REACTIVATE", True),
    (Known(True, False, False, None), PLAIN, "MODIFY_PRIVILEGE", False),
    (Known(True, True, False, A), None, "DEACTIVATE", False),
    (Known(False, True, False, A), None, None, False),
]  # fmt: skip
