"""Entry of `pulumi up`: settings in, stack built, outputs out.
Holds no rule of its own."""

from infra.light_imports import light_imports

with light_imports():
    import pulumi

    from infra.edge_bundle import BundleMissing
    from infra.image_facts import Disagreement
    from infra.registry import RegistryError
    from infra.settings import SettingsError, load
    from infra.stack import build

    try:
        outputs = build(load())
    except (SettingsError, BundleMissing, Disagreement, RegistryError) as problem:
        raise pulumi.RunError(str(problem)) from None

for name, value in outputs.items():
    pulumi.export(name, value)
