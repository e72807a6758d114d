"""Two services in one stack, beside a bucket of its own.

The keys of docs/configuration.md apply to both (`pulumi config set photo-splat:cloudflareAccountId …`); arguments of
`load` override them for one service. Each service gets its own endpoint, bucket, script and secrets."""

from pathlib import Path

from infra.cloudflare.lazy_sdk import lazy_sdk

with lazy_sdk():
    import pulumi
    import pulumi_cloudflare as cloudflare

    from infra.refusals import shown_plainly
    from infra.service import SplatService
    from infra.settings.load import load

CHECKOUT = Path("../..")  # the folder of this project, relative to this program

with shown_plainly():
    museum = SplatService("museum", load(gpu="L40S", workersMax="3", jobsPerDay="200"), checkout=CHECKOUT)
    street = SplatService("street", load(workersMax="1", objectLifetimeDays="30"), checkout=CHECKOUT)
    settings = load()

prints = cloudflare.R2Bucket("prints", account_id=settings.account_id, name=f"gallery-prints-{pulumi.get_stack()}")

pulumi.export("museum", museum.outputs)
pulumi.export("street", street.outputs)
pulumi.export("prints", prints.name)
