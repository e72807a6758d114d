"""Job API: jobs, their queue, their wire form, webhooks.
Never talks to a worker process; worker_protocol.py carries jobs there and results back."""
