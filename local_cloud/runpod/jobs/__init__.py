"""Job API: jobs, their queue, their wire form, webhooks.
api/worker_protocol.py passes jobs to the workers and results back."""
