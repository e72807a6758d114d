"""Entry of `pulumi up`: settings in, the service declared, outputs out."""

from infra.cloudflare.lazy_sdk import lazy_sdk

with lazy_sdk():
    import pulumi

    from infra.refusals import shown_plainly, stop
    from infra.service import OLDEST_ENGINE, SplatService
    from infra.settings.load import load

    try:
        pulumi.require_pulumi_version(f">={OLDEST_ENGINE}")
    except Exception as too_old:  # what the SDK raises has no type of its own
        stop(f"{too_old}. Install a newer `pulumi`, or use .tools/engine/pulumi of this checkout")
    with shown_plainly():
        service = SplatService("splat", load())

for name, value in service.outputs.items():
    pulumi.export(name, value)
