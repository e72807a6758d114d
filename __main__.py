"""Entry of `pulumi up`: settings in, the service declared, outputs out."""

from infra.cloudflare.lazy_sdk import lazy_sdk

with lazy_sdk():
    import pulumi

    from infra.cloudflare.worker_bundle import BundleMissing
    from infra.image.labels import IncompatibleImage
    from infra.image.registry import RegistryError
    from infra.service import OLDEST_ENGINE, SplatService
    from infra.settings.load import SettingsError, load

    try:
        pulumi.require_pulumi_version(f">={OLDEST_ENGINE}")
    except Exception as too_old:  # what the SDK raises has no type of its own
        raise pulumi.RunError(
            f"{too_old}. Install a newer `pulumi`, or use .tools/engine/pulumi of this checkout"
        ) from None
    try:
        service = SplatService("splat", load())
    except (SettingsError, BundleMissing, IncompatibleImage, RegistryError) as problem:
        raise pulumi.RunError(str(problem)) from None

for name, value in service.outputs.items():
    pulumi.export(name, value)
