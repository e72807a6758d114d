"""Entry of `pulumi up`: settings in, stack built, outputs out.
Holds no rule of its own."""

from infra.light_imports import light_imports

with light_imports():
    import pulumi

    from infra.edge_bundle import BundleMissing
    from infra.image_facts import Disagreement
    from infra.registry import RegistryError
    from infra.settings import OLDEST_ENGINE, SettingsError, load
    from infra.stack import build

    try:
        pulumi.require_pulumi_version(f">={OLDEST_ENGINE}")
    except Exception as too_old:  # what the SDK raises has no type of its own
        raise pulumi.RunError(f"{too_old}: take a newer `pulumi`, or .tools/engine/pulumi of this checkout") from None
    try:
        outputs = build(load())
    except (SettingsError, BundleMissing, Disagreement, RegistryError) as problem:
        raise pulumi.RunError(str(problem)) from None

for name, value in outputs.items():
    pulumi.export(name, value)
