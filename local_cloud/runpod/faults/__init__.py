"""Scripted failures: which fault strikes now, and the ASGI layer that breaks HTTP exchanges.
Faults that hit workers are carried out in fleet/faults.py, faults of webhooks in jobs/webhooks.py."""
