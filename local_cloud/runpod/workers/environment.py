"""The environment a worker process starts with: image, endpoint, platform, in this order.
Pure. Of the stand-in's own environment only the variables in HOST_VARIABLES pass."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus

from local_cloud.runpod.account.state import Endpoint
from local_cloud.runpod.workers.model import Worker

# A container has these, too; the rest of this machine's environment stays outside.
HOST_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


def worker_environment(
    *,
    host: Mapping[str, str],
    image_env: Mapping[str, str],
    endpoint: Endpoint,
    worker: Worker,
    base_url: str,
    ping_interval_ms: int,
    home: str,
) -> dict[str, str]:
    """All variables of a worker; `base_url` has no trailing slash."""
    env = {name: host[name] for name in HOST_VARIABLES if name in host}
    # A fresh home, as in a container: the SDK prefers a profile in ~/.runpod/config.toml to the key it gets.
    env |= {"HOME": home, "TMPDIR": home}
    env |= image_env
    env |= endpoint.spec.env
    return env | _platform(endpoint, worker, base_url, ping_interval_ms)


def _platform(endpoint: Endpoint, worker: Worker, base_url: str, ping_interval_ms: int) -> dict[str, str]:
    place = worker.placement
    root = f"{base_url}/v2/{endpoint.id}"
    query = f"gpu={quote_plus(place.gpu_type_id)}"
    return {
        "RUNPOD_POD_ID": worker.id,
        "RUNPOD_POD_HOSTNAME": worker.id,
        "RUNPOD_ENDPOINT_ID": endpoint.id,
        "RUNPOD_AI_API_ID": endpoint.id,
        "RUNPOD_AI_API_KEY": worker.key,
        "RUNPOD_PING_INTERVAL": str(ping_interval_ms),
        "RUNPOD_DC_ID": place.data_center_id,
        "RUNPOD_GPU_COUNT": str(place.gpu_count),
        "RUNPOD_GPU_NAME": place.gpu_type_id,
        "RUNPOD_GPU_SIZE": ",".join(endpoint.spec.gpu.pools),
        # The SDK fills in $ID and $RUNPOD_POD_ID itself, and appends &... to the query.
        "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?{query}",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?{query}",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{root}/job-stream/$RUNPOD_POD_ID/$ID?{query}",
        "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID?{query}",
    }
