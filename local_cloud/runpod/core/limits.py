"""Fixed numbers of the platform, each with its source.
Settings that a test can change are in settings.py."""

from __future__ import annotations

# docs.runpod.io/serverless/endpoints/send-requests and operation-reference, read 2026-08-20.
RUN_BODY_MAX_BYTES = 10 * 1024 * 1024
RUNSYNC_BODY_MAX_BYTES = 20 * 1024 * 1024
STREAM_CHUNK_MAX_BYTES = 1024 * 1024

# Ours: the platform's own limit is not documented.
MANAGEMENT_BODY_MAX_BYTES = 128 * 1024 * 1024

# The largest `limit` of a list, which also counts when none is given (OpenAPI document, runpod/docs 953afcc1).
LIST_PAGE_MAX = 1000

RUN_RESULT_KEPT_S = 30 * 60
RUNSYNC_RESULT_KEPT_S = 60
RUNSYNC_RESULT_KEPT_WITH_WAIT_S = 5 * 60
RUNSYNC_WAIT_DEFAULT_MS = 90_000
RUNSYNC_WAIT_MIN_MS = 1_000
RUNSYNC_WAIT_MAX_MS = 300_000

EXECUTION_TIMEOUT_DEFAULT_MS = 600_000
EXECUTION_TIMEOUT_MIN_MS = 5_000
TTL_DEFAULT_MS = 86_400_000
TTL_MIN_MS = 10_000
POLICY_MAX_MS = 7 * 86_400_000

# operation -> (requests per 10 s, requests at once); send-requests page, rate limit table.
JOB_RATE_WINDOW_S = 10.0
JOB_RATES: dict[str, tuple[int, int]] = {
    "run": (1000, 200),
    "runsync": (2000, 400),
    "status": (2000, 400),
    "stream": (2000, 400),
    "cancel": (100, 20),
    "purge-queue": (2, 2),
}

# The page has 10 s between tries; a capture of 2026-07-13 has 5 s, then 15 s. We follow the page.
WEBHOOK_TRIES = 3
WEBHOOK_PAUSE_S = 10.0
WEBHOOK_RECEIVER_TIMEOUT_S = 30.0  # guess: not documented

# Observed: a job whose worker never acknowledged it is dispatched again after about 40 s, once.
REDISPATCHES_MAX = 1

# SDK 1.12.0 gives up a take or stop poll after 90 s; the platform's own hold is not documented.
TAKE_HOLD_S = 30.0
STOP_HOLD_S = 30.0
# SDK 1.12.0 drops a stop that arrives between taking a job and starting it (rp_scale.stop_job finds no
# task yet), so it is repeated until the worker stops. Whether the platform repeats it is not known.
STOP_REPEAT_S = 1.0
# Documented as "about 10 s"; the SDK's own client reads with a 10 s timeout, so stay below it.
STREAM_HOLD_S = 8.0

LOG_LINES_KEPT = 5_000
DISK_USD_PER_GB_MONTH = 0.10  # docs.runpod.io/serverless/pricing, billed in steps of 5 minutes
DISK_STEP_S = 300
MONTH_S = 30 * 86_400

# docs.runpod.io/serverless/endpoints/endpoint-configurations: days without a request -> workers.max at most.
IDLE_CUTS_S = ((7 * 86_400.0, 0), (3 * 86_400.0, 2))

SPEND_RATE_LIMIT_USD_PER_H = 80.0
