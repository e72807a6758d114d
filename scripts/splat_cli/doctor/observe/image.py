"""Checks of the worker image: asks its registry, and RunPod for the credential. Hands over to judge/image.py."""

from __future__ import annotations

from infra.image import registry
from infra.image.labels import ImageLabels, labels_of_folder, read_labels
from scripts.splat_cli.doctor.finding import Verdict
from scripts.splat_cli.doctor.judge import image as judge
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.doctor.runner import Check
from scripts.splat_cli.options import ROOT

CHECKOUT = "checkout.local/"  # an image of the local cloud: the sources themselves, in no registry
REACHABLE = "image reachable"


def checks(seen: Observed) -> list[Check]:
    return [
        Check(name=REACHABLE, run=lambda: reachable(seen)),
        Check(name="image fits the GPUs", run=lambda: fits(seen), needs=REACHABLE),
        Check(name="registry credential", run=lambda: credential(seen), needs="RunPod key"),
    ]


def reachable(seen: Observed) -> Verdict:
    reference = str(seen.access.outputs["imageReference"])
    if reference.startswith(CHECKOUT):
        return judge.reachable(REACHABLE, reference, refused="", silent="")
    if not seen.access.settings.image.lookup:
        return judge.reachable(REACHABLE, reference, refused="", silent="imageLookup is false")
    try:
        _inspect(seen, reference)
    except registry.NoSuchImage as refused:
        return judge.reachable(REACHABLE, reference, refused=str(refused), silent="")
    except registry.NoAnswer as silent:
        return judge.reachable(REACHABLE, reference, refused="", silent=str(silent))
    return judge.reachable(REACHABLE, reference, refused="", silent="")


def fits(seen: Observed) -> Verdict:
    # As deployed: `gpu: cheapest` is a card's name there.
    names = tuple(str(one) for one in seen.recorded("runpod:Endpoint").outputs["gpuNames"])
    return judge.fits("image fits the GPUs", _labels(seen), names, seen.access.settings.gpu.min_cuda_version)


def _labels(seen: Observed) -> ImageLabels:
    reference = str(seen.access.outputs["imageReference"])
    if reference.startswith(CHECKOUT):
        return labels_of_folder(ROOT / "worker_image")
    if not seen.access.settings.image.lookup:
        return ImageLabels()
    try:
        return read_labels(_inspect(seen, reference).labels)
    except registry.NoAnswer:
        return ImageLabels()


def _inspect(seen: Observed, reference: str) -> registry.InspectedImage:
    username = seen.access.settings.image.registry_username
    password = seen.access.secret("photo-splat:registryPassword")
    login = registry.Login(username=username, password=password) if username and password else None
    return seen.once("image", lambda: registry.inspect(reference, login))


def credential(seen: Observed) -> Verdict:
    live = seen.live_endpoint()
    if live is None:
        return Verdict(check="registry credential", skipped="not checked, see `endpoint settings`")
    existing = {str(one["id"]) for one in seen.runpod.list_registries()}
    return judge.credential(
        "registry credential",
        declared=bool(seen.access.recorded("runpod:RegistryCredential")),
        used=live.get("registry"),
        existing=existing,
        redo=seen.redo,
    )
