"""Entry of the Pulumi package: serves infra/package.py to the engine. Holds nothing of its own."""

import sys

from infra.cloudflare.lazy_sdk import lazy_sdk

with lazy_sdk():
    from infra.package import serve

serve(sys.argv[1:])
