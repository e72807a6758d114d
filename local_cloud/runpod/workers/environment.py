"""The environment a worker process starts with: image, endpoint, platform, in this order.
Pure; nothing of the stand-in's own environment leaks in but what the caller names as `host`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from ..state import Endpoint, EndpointSpec
from .model import Worker

# What a container would have of its own; the rest of this machine's environment stays outside.
HOST_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")

_SECRET = re.compile(r"\{\{\s*RUNPOD_SECRET_([A-Za-z_][A-Za-z0-9_.\-/]*)\s*\}\}")


def substitute_secrets(env: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """`{{ RUNPOD_SECRET_name }}` -> value; a name that does not resolve stays as written (guess)."""
    return {
        key: _SECRET.sub(lambda match: secrets.get(match.group(1), match.group(0)), value) for key, value in env.items()
    }


def worker_environment(
    *,
    host: Mapping[str, str],
    image_env: Mapping[str, str],
    endpoint: Endpoint,
    worker: Worker,
    secrets: Mapping[str, str],
    base_url: str,
    ping_interval_ms: int,
    home: str,
) -> dict[str, str]:
    """All variables of facts sheet 3.1; `base_url` has no trailing slash."""
    env = {name: host[name] for name in HOST_VARIABLES if name in host}
    # A fresh home, as in a container: the SDK would prefer a profile of ~/.runpod/config.toml to its key.
    env |= {"HOME": home, "TMPDIR": home}
    env |= image_env
    env |= substitute_secrets(endpoint.spec.env, secrets)
    if worker.port is not None:
        # The ports of several workers would collide on one machine, so each is given its own.
        env |= {"PORT": str(worker.port), "PORT_HEALTH": str(worker.port)}
    return env | _platform(endpoint, worker, base_url, ping_interval_ms)


def health_path(spec: EndpointSpec) -> str:
    """What the load balancer asks for (spec: EndpointType)."""
    path = spec.env.get("HEALTH_CHECK_PATH") or "/ping"
    return path if path.startswith("/") else f"/{path}"


def _platform(endpoint: Endpoint, worker: Worker, base_url: str, ping_interval_ms: int) -> dict[str, str]:
    place = worker.placement
    root = f"{base_url}/v2/{endpoint.id}"
    query = f"gpu={quote_plus(place.gpu_type_id or 'CPU')}"
    env = {
        "RUNPOD_POD_ID": worker.id,
        "RUNPOD_POD_HOSTNAME": worker.id,
        "RUNPOD_ENDPOINT_ID": endpoint.id,
        "RUNPOD_AI_API_ID": endpoint.id,
        "RUNPOD_AI_API_KEY": worker.key,
        "RUNPOD_PING_INTERVAL": str(ping_interval_ms),
        "RUNPOD_DC_ID": place.data_center_id,
        "RUNPOD_GPU_COUNT": str(place.gpu_count),
        # The SDK fills in $ID and $RUNPOD_POD_ID itself, and appends &... to the query.
        "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?{query}",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?{query}",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{root}/job-stream/$RUNPOD_POD_ID/$ID?{query}",
        "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID?{query}",
    }
    if place.gpu_type_id is not None:
        env["RUNPOD_GPU_NAME"] = place.gpu_type_id
    if endpoint.spec.gpu is not None:
        env["RUNPOD_GPU_SIZE"] = ",".join(endpoint.spec.gpu.pools)
    return env
