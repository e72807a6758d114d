"""The worker image as one reference by digest, and what it says of itself: built and pushed, pinned, or the checkout.
Never gives out a tag: one that is pinned is looked up, and its digest taken."""

from __future__ import annotations

from pathlib import Path

import pulumi

from infra import image_facts, registry
from infra.content_hash import hash_folder
from infra.image_facts import ImageFacts

# No registry of this name exists. The local cloud starts such an image from the sources beside it; a
# real platform refuses it, which is right.
CHECKOUT_REPOSITORY = "checkout.local/splat-worker"


class WorkerImage(pulumi.ComponentResource):
    """`reference` is repository@sha256:digest of what workers run; `facts` its CUDA version and architectures."""

    reference: pulumi.Output[str]
    facts: ImageFacts

    def __init__(
        self,
        name: str,
        *,
        source: str,
        folder: Path,
        repository: str | None = None,
        registry_username: str | None = None,
        registry_password: pulumi.Input[str] | None = None,
        registry_login_text: str | None = None,
        looks_up: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`source`: `build`, `checkout`, or a reference by digest or tag. Raises registry.RegistryError for a tag that
        cannot be looked up, and for an image that its registry does not have."""
        super().__init__("splat:image:WorkerImage", name, {}, opts)
        pinned = source not in ("build", "checkout")
        if pinned and not source.startswith(f"{CHECKOUT_REPOSITORY}@"):
            login = None
            if registry_username and registry_login_text:
                login = registry.Login(username=registry_username, password=registry_login_text)
            source, self.facts = pin(source, login, looks_up=looks_up)
        else:
            self.facts = image_facts.of_folder(folder)
        if source == "checkout":
            self.reference = pulumi.Output.from_input(f"{CHECKOUT_REPOSITORY}@sha256:{hash_folder(folder)}")
        elif source == "build":
            self.reference = self._build(name, folder, str(repository), registry_username, registry_password)
        else:
            self.reference = pulumi.Output.from_input(source)
        self.register_outputs({"reference": self.reference})

    def _build(
        self,
        name: str,
        folder: Path,
        repository: str,
        username: str | None,
        password: pulumi.Input[str] | None,
    ) -> pulumi.Output[str]:
        import pulumi_docker_build as docker_build  # costs a second, and only this source needs it

        registries = []
        if username and password is not None:
            registries.append(
                docker_build.RegistryArgs(
                    address=repository.partition("/")[0], username=username, password=pulumi.Output.secret(password)
                )
            )
        # The content names the tag, so an unchanged checkout pushes what is there already.
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
            build_on_preview=False,  # ten gigabytes are not for a preview
            registries=registries,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        return image.digest.apply(lambda digest: f"{repository}@{digest}")


def pin(source: str, login: registry.Login | None, *, looks_up: bool) -> tuple[str, ImageFacts]:
    """`source` by digest, and what the image says of itself. A digest stands without its registry, which may be
    closed to the machine that deploys; then nothing is known of the image but by its trial."""
    repository, at, _ = source.partition("@")
    if at and not looks_up:
        return source, ImageFacts()
    try:
        found = registry.look_up(source, login)
    except registry.NoAnswer as silent:
        if not at:
            raise
        pulumi.log.warn(f"{silent}. Its CUDA version and architectures are not compared with the stack's GPUs.")
        return source, ImageFacts()
    if at:
        return source, image_facts.from_labels(found.labels)
    head, slash, tail = repository.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}@{found.digest}", image_facts.from_labels(found.labels)
