"""Where a new worker lands: the first GPU type of its pools, a data centre that it may use.
Pure; capacity is never short here unless a fault says so."""

from __future__ import annotations

from ..catalog import Catalog
from ..state import Account, Endpoint
from .model import Placement

DEFAULT_DATA_CENTER = "US-KS-2"


def place(endpoint: Endpoint, account: Account, catalog: Catalog) -> Placement:
    """Rates are those of this moment, USD per second for the whole worker."""
    spec = endpoint.spec
    volumes = [account.volumes[one].data_center for one in spec.network_volumes if one in account.volumes]
    data_center = next(iter([*volumes, *spec.data_center_ids]), DEFAULT_DATA_CENTER)
    if spec.gpu is not None:
        gpu = catalog.selection(spec.gpu.pools, spec.gpu.excluded_types)[0]
        return Placement(
            gpu_type_id=gpu.id,
            gpu_count=spec.gpu.count,
            data_center_id=data_center,
            gpu_usd_per_s=(gpu.serverless_usd_per_s or 0.0) * spec.gpu.count,
            cpu_usd_per_s=0.0,
        )
    choice = spec.cpu[0]
    flavour = catalog.cpu(choice.id)
    assert flavour is not None
    return Placement(
        gpu_type_id=None,
        gpu_count=0,
        data_center_id=data_center,
        gpu_usd_per_s=0.0,
        cpu_usd_per_s=flavour.serverless_usd_per_vcpu_h / 3600 * choice.vcpu_count,
    )
