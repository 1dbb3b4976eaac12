"""The rules of the control plane: functions that take a transaction."""
