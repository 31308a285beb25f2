"""The statements behind alerts: one scan of a rule, escalation, what was told to nobody."""
