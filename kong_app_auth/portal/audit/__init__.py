"""The audit log: who did what, with before and after; its export and its webhooks."""
