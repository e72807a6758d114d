"""The worker image as one reference by digest, with its labels: built and pushed, pinned, or the checkout.
Never outputs a tag: a pinned tag is resolved to its digest."""

from __future__ import annotations

from pathlib import Path

import pulumi

from common.content_hash import hash_folder
from infra.image import registry
from infra.image.labels import ImageLabels, labels_of_folder, read_labels
from infra.settings.model import ImageSettings

# No registry of this name exists. The local cloud starts such an image from the sources beside it; RunPod rejects it.
CHECKOUT_REPOSITORY = "checkout.local/splat-worker"


class WorkerImage(pulumi.ComponentResource):
    """`reference` is repository@sha256:digest of what workers run."""

    reference: pulumi.Output[str]
    labels: ImageLabels

    def __init__(
        self,
        name: str,
        settings: ImageSettings,
        *,
        folder: Path,
        registry_password: pulumi.Input[str] | None = None,
        registry_password_text: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`folder` holds the sources. The password comes twice: as a secret for resources, and as text for the query of
        the registry. Raises registry.RegistryError for a tag that cannot be resolved, and for a missing image."""
        super().__init__("splat:image:WorkerImage", name, {}, opts)
        source = settings.source
        if source in ("build", "checkout") or source.startswith(f"{CHECKOUT_REPOSITORY}@"):
            self.labels = labels_of_folder(folder)
        else:
            login = None
            if settings.registry_username and registry_password_text:
                login = registry.Login(username=settings.registry_username, password=registry_password_text)
            source, self.labels = pin(source, login, lookup=settings.lookup)
        if source == "checkout":
            self.reference = pulumi.Output.from_input(f"{CHECKOUT_REPOSITORY}@sha256:{hash_folder(folder)}")
        elif source == "build":
            self.reference = self._build(name, folder, settings, registry_password)
        else:
            self.reference = pulumi.Output.from_input(source)
        self.register_outputs({"reference": self.reference})

    def _build(
        self, name: str, folder: Path, settings: ImageSettings, password: pulumi.Input[str] | None
    ) -> pulumi.Output[str]:
        import pulumi_docker_build as docker_build  # costs a second, and only this source needs it

        repository = str(settings.repository)
        registries = []
        if settings.registry_username and password is not None:
            registries.append(
                docker_build.RegistryArgs(
                    address=repository.partition("/")[0],
                    username=settings.registry_username,
                    password=pulumi.Output.secret(password),
                )
            )
        # The content names the tag, so an unchanged checkout pushes nothing new.
        tag = f"{repository}:{hash_folder(folder)[:16]}"
        image = docker_build.Image(
            f"{name}-build",
            push=True,
            tags=[tag],
            context=docker_build.BuildContextArgs(location=str(folder)),
            dockerfile=docker_build.DockerfileArgs(location=str(folder / "Dockerfile")),
            platforms=[docker_build.Platform.LINUX_AMD64],
            cache_from=[
                docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=f"{repository}:cache"))
            ],
            cache_to=[
                docker_build.CacheToArgs(
                    registry=docker_build.CacheToRegistryArgs(
                        ref=f"{repository}:cache",
                        mode=docker_build.CacheMode.MAX,
                        image_manifest=True,
                        oci_media_types=True,
                    )
                )
            ],
            build_on_preview=False,  # a preview should not build ten gigabytes
            registries=registries,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return image.digest.apply(lambda digest: f"{repository}@{digest}")


def pin(source: str, login: registry.Login | None, *, lookup: bool) -> tuple[str, ImageLabels]:
    """`source` by digest, and its labels. A digest is valid without its registry, which may be unreachable from the
    machine that deploys. Then no labels are known, and only the image check finds an unfit image."""
    repository, at, _ = source.partition("@")
    if at and not lookup:
        return source, ImageLabels()
    try:
        found = registry.inspect(source, login)
    except registry.NoAnswer as silent:
        if not at:
            raise
        pulumi.log.warn(f"{silent}. Its CUDA version and architectures are not compared with the stack's GPUs.")
        return source, ImageLabels()
    if at:
        return source, read_labels(found.labels)
    head, slash, tail = repository.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}@{found.digest}", read_labels(found.labels)
