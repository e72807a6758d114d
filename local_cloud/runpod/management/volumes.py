"""Routes of network volumes: records with a size, a data centre and a price, no storage behind them.
A volume that endpoints use can be deleted (undocumented, open doubt 8); they lose the reference."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..http import platform_of
from ..platform import Platform
from ..problems import bad_request, not_found, unprocessable
from ..state import Volume, VolumeUsage
from .guard import management_route, read_body
from .wire import CreateVolume, UpdateVolume


async def list_volumes(request: Request) -> Response:
    volumes = platform_of(request).account.volumes.values()
    return JSONResponse({"networkVolumes": [_to_wire(one) for one in volumes]})


async def create_volume(request: Request) -> Response:
    platform = platform_of(request)
    body = await read_body(request, CreateVolume)
    offering = [one for one in platform.catalog.data_centers if one.volume_types]
    place = next((one for one in offering if one.id == body.dataCenter), None)
    if place is None:
        valid = ", ".join(one.id for one in offering)
        raise bad_request(f"data center {body.dataCenter!r} has no network volumes; valid ones: {valid}")
    tier = body.type if "type" in body.model_fields_set else place.volume_types[0]
    if tier not in place.volume_types:
        raise bad_request(f"{place.id} offers {', '.join(place.volume_types)}, not {tier}")
    volume = Volume(
        id=platform.new_id(),
        name=body.name,
        size_gb=body.size,
        data_center=place.id,
        type=tier,
        billed_from_s=platform.clock.now(),
    )
    platform.account.volumes[volume.id] = volume
    platform.save()
    return JSONResponse(_to_wire(volume), status_code=201)


async def get_volume(request: Request) -> Response:
    return JSONResponse(_to_wire(_volume(request)))


async def update_volume(request: Request) -> Response:
    platform = platform_of(request)
    volume = _volume(request)
    body = await read_body(request, UpdateVolume)
    sent = body.model_fields_set
    if not sent:
        raise unprocessable(["$: minProperties: got 0, want 1"])
    if "size" in sent and body.size < volume.size_gb:
        raise bad_request(f"size {body.size} is below the current {volume.size_gb} GB: volumes only grow")
    if "name" in sent:
        volume = dataclasses.replace(volume, name=body.name)
    if "size" in sent:
        _bill(platform, volume)
        volume = dataclasses.replace(volume, size_gb=body.size, billed_from_s=platform.clock.now())
    platform.account.volumes[volume.id] = volume
    platform.save()
    return JSONResponse(_to_wire(volume))


async def delete_volume(request: Request) -> Response:
    platform = platform_of(request)
    volume = _volume(request)
    _bill(platform, volume)
    del platform.account.volumes[volume.id]
    for endpoint in tuple(platform.account.endpoints.values()):
        left = tuple(one for one in endpoint.spec.network_volumes if one != volume.id)
        if left != endpoint.spec.network_volumes:
            spec = dataclasses.replace(endpoint.spec, network_volumes=left)
            platform.put_endpoint(dataclasses.replace(endpoint, spec=spec))
    platform.save()
    return Response(status_code=204)


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


def _volume(request: Request) -> Volume:
    volume = platform_of(request).account.volumes.get(request.path_params["id"])
    if volume is None:
        raise not_found("network volume")
    return volume


def _to_wire(volume: Volume) -> dict[str, Any]:
    return {
        "id": volume.id,
        "name": volume.name,
        "size": volume.size_gb,
        "dataCenter": volume.data_center,
        "type": volume.type,
    }


ROUTES: list[Route] = [
    management_route("/v2/network-volumes", {"GET": list_volumes, "POST": create_volume}),
    management_route("/v2/network-volumes/{id}", {"GET": get_volume, "PATCH": update_volume, "DELETE": delete_volume}),
]
