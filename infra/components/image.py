"""The worker image as one reference by digest: built and pushed, pinned, or the checkout itself.
Never gives out a tag."""

from __future__ import annotations

from pathlib import Path

import pulumi

from infra.content_hash import hash_folder

# No registry of this name exists. The local cloud starts such an image from the sources beside it; a
# real platform refuses it, which is right.
CHECKOUT_REPOSITORY = "checkout.local/splat-worker"


class WorkerImage(pulumi.ComponentResource):
    """`reference` is repository@sha256:digest of what workers run."""

    reference: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        source: str,
        folder: Path,
        repository: str | None = None,
        registry_username: str | None = None,
        registry_password: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("splat:image:WorkerImage", name, {}, opts)
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
