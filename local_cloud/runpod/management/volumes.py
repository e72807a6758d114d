"""Routes of network volumes: records with a size, a data centre and a price, no storage behind them.
A volume that endpoints use can be deleted (undocumented, open doubt 8); they lose the reference."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.routing import Route

from ..platform import Platform
from ..problems import bad_request
from ..state import Volume, VolumeUsage
from .kinds import Kind
from .wire import CreateVolume, UpdateVolume


def make(platform: Platform, body: CreateVolume) -> Volume:
    offering = [one for one in platform.catalog.data_centers if one.volume_types]
    place = next((one for one in offering if one.id == body.dataCenter), None)
    if place is None:
        valid = ", ".join(one.id for one in offering)
        raise bad_request(f"data center {body.dataCenter!r} has no network volumes; valid ones: {valid}")
    tier = body.type if "type" in body.model_fields_set else place.volume_types[0]
    if tier not in place.volume_types:
        raise bad_request(f"{place.id} offers {', '.join(place.volume_types)}, not {tier}")
    return Volume(
        id=platform.new_id(),
        name=body.name,
        size_gb=body.size,
        data_center=place.id,
        type=tier,
        billed_from_s=platform.clock.now(),
    )


def change(platform: Platform, volume: Volume, body: UpdateVolume) -> Volume:
    sent = body.model_fields_set
    if "size" in sent and body.size < volume.size_gb:
        raise bad_request(f"size {body.size} is below the current {volume.size_gb} GB: volumes only grow")
    if "name" in sent:
        volume = dataclasses.replace(volume, name=body.name)
    if "size" in sent:
        _bill(platform, volume)
        volume = dataclasses.replace(volume, size_gb=body.size, billed_from_s=platform.clock.now())
    return volume


def let_go(platform: Platform, volume: Volume) -> None:
    _bill(platform, volume)
    for endpoint in tuple(platform.account.endpoints.values()):
        left = tuple(one for one in endpoint.spec.network_volumes if one != volume.id)
        if left != endpoint.spec.network_volumes:
            spec = dataclasses.replace(endpoint.spec, network_volumes=left)
            platform.put_endpoint(dataclasses.replace(endpoint, spec=spec))


def usage_so_far(volume: Volume, now_s: float) -> VolumeUsage:
    return VolumeUsage(
        volume_id=volume.id,
        type=volume.type,
        size_gb=volume.size_gb,
        start_s=volume.billed_from_s,
        end_s=now_s,
    )


def _bill(platform: Platform, volume: Volume) -> None:
    platform.account.volume_usage.append(usage_so_far(volume, platform.clock.now()))


def _to_wire(volume: Volume) -> dict[str, Any]:
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size_gb,
        "dataCenter": volume.data_center,
        "type": volume.type,
    }


VOLUMES = Kind(
    path="/v2/network-volumes",
    listed_as="networkVolumes",
    noun="network volume",
    held=lambda account: account.volumes,
    to_wire=_to_wire,
    body_of_post=CreateVolume,
    make=make,
    body_of_patch=UpdateVolume,
    change=change,
    let_go=let_go,
)
ROUTES: list[Route] = VOLUMES.routes()
