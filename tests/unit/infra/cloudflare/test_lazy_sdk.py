"""The lazy SDK: the program loads a twentieth of Cloudflare's SDK, and everything else on request.
Each test runs an interpreter of its own, since an import happens once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cloudflare.lazy_sdk import module_of

ROOT = Path(__file__).resolve().parents[4]
COMPONENTS = sorted((ROOT / "infra" / "components").glob("*.py"))


def fresh(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LAZILY = "import sys\nfrom infra.cloudflare.lazy_sdk import lazy_sdk\nwith lazy_sdk():\n    "
LOADED = "\nprint(len([name for name in sys.modules if name.startswith('pulumi_cloudflare.')]))"


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("R2Bucket", "r2_bucket"),
        ("R2BucketCors", "r2_bucket_cors"),
        ("AccountToken", "account_token"),
        ("WorkersScriptSubdomain", "workers_script_subdomain"),
        ("Provider", "provider"),
    ],
)
def test_a_resource_is_in_the_module_of_its_name(name: str, module: str) -> None:
    assert module_of(name) == module


def test_the_program_loads_few_modules_of_the_sdk() -> None:
    named = sorted(set(re.findall(r"cloudflare\.([A-Z]\w+)", "".join(one.read_text() for one in COMPONENTS))))
    said = fresh(
        LAZILY + "import pulumi_cloudflare as cloudflare; import infra.service\n"
        f"    found = {{name: getattr(cloudflare, name) for name in {named}}}\n"
        "assert all(one.__name__ == name for name, one in found.items()), found\n"
        "assert not {'torch', 'boto3'} & sys.modules.keys()" + LOADED
    )
    assert len(named) > 10
    assert int(said) < 15


def test_garbage_collection_is_on_again_afterwards() -> None:
    assert fresh(LAZILY + "import gc; inside = gc.isenabled()\nprint(inside, gc.isenabled())") == "False True"


@pytest.mark.slow
def test_a_name_with_another_layout_comes_from_the_whole_sdk() -> None:
    said = fresh(
        LAZILY + "import pulumi_cloudflare\n"
        "print(pulumi_cloudflare.get_zone.__module__, pulumi_cloudflare.get_zone.__name__)\n"
        "try:\n    pulumi_cloudflare.NoSuchThing\nexcept AttributeError as problem:\n    print(problem)" + LOADED
    ).splitlines()
    assert said[0] == "pulumi_cloudflare.get_zone get_zone"
    assert "NoSuchThing" in said[1]
    assert int(said[2]) > 200
