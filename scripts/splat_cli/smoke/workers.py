"""Whether the endpoint may start a worker at all. Without one, a job would only wait until its deadline."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from infra.runpod.errors import RunPodError
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import up_hint

if TYPE_CHECKING:
    from scripts.splat_cli.stack_access import StackAccess


def check_workers(access: StackAccess) -> None:
    """Raises CommandError where the live endpoint allows no worker. A RunPod that does not answer proves nothing."""
    with contextlib.closing(access.runpod()) as runpod, contextlib.suppress(RunPodError):
        endpoint = runpod.get_endpoint(access.endpoint_id)
        if int((endpoint.get("workers") or {}).get("max", 1)) == 0:
            raise CommandError(
                f"Endpoint {access.endpoint_id} may start no worker (its maximum is 0), so no job can run.",
                hint=f"{up_hint(access.stack)} (RunPod lowers idle endpoints), or splat resume after a stop",
            )
