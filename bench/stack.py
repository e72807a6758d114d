"""Seconds of `up` and of a preview without changes: the whole local stack against an empty program with the same SDKs.

    .venv/bin/python bench/stack.py [--runs 3]       # needs scripts/bootstrap --test; takes about four minutes

Starts the two stand-ins on free ports, makes one stack of the checkout's own program and one of a program that only
imports pulumi and pulumi_cloudflare, and runs the `pulumi` command line on both in turn, so that
what else the machine does meets both. Also measures what the imports cost. Writes bench/stack.json: medians and all
runs. Wall seconds say what a person waits; processor seconds are what does not depend on the neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from infra.settings.local_stack import config_for  # noqa: E402
from tests.stack.conftest import STACK, LocalCloud, project_environment, running_cloud, write_project  # noqa: E402

# What every run of ours needs; pulumi_docker_build only where a stack builds its image.
SDKS = "import pulumi\nimport pulumi_cloudflare\n"
RUN_LIMIT_S = 180
IMPORTS = {
    "pulumi": "import pulumi",
    "pulumi_cloudflare, whole": "import pulumi_cloudflare",
    "pulumi_docker_build": "import pulumi_docker_build",
    "the program's imports, as they were written": "import infra.service, pulumi_cloudflare",
    "the program's imports, as it makes them": (
        "from infra.cloudflare.lazy_sdk import lazy_sdk\nwith lazy_sdk():\n"
        "    import infra.service, pulumi_cloudflare as c\n"
        "    c.R2Bucket, c.R2BucketCors, c.R2BucketLifecycle, c.AccountToken, c.WorkersScript\n"
        "    c.WorkersScriptSubdomain, c.WorkersCronTrigger"
    ),
}


def measured(run: Callable[[], Any]) -> dict[str, float]:
    """Wall seconds, and processor seconds of the processes that ended in it."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(time.monotonic() - began, 2), "cpu_s": round(used, 2)}


def median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(one[key] for one in runs) for key in ("wall_s", "cpu_s")}


class Stack:
    """A program and its stack; `pulumi` on it."""

    def __init__(self, folder: Path, path: str, config: dict[str, str], program: str | None = None) -> None:
        self._folder, self._environment = folder, {**os.environ, **project_environment(folder, path)}
        write_project(folder)
        if program is not None:
            (folder / "__main__.py").write_text(program)
            (folder / "Pulumi.yaml").write_text(
                "name: photo-splat\nruntime:\n  name: python\n  options:\n    virtualenv: .venv\n"
            )
        (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
        self.run("stack", "init", STACK)

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"pulumi {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")

    def up(self) -> None:
        self.run("up", "--stack", STACK, "--yes", "--skip-preview")

    def preview(self) -> None:
        self.run("preview", "--stack", STACK, "--expect-no-changes")

    def destroy(self) -> None:
        self.run("destroy", "--stack", STACK, "--yes", "--skip-preview")


def stacks(folder: Path, cloud: LocalCloud) -> dict[str, Stack]:
    tools = json.loads((ROOT / ".tools/engine.json").read_text())["folder"]
    double = ROOT / "local_cloud/cloudflare/bin"
    path = os.pathsep.join([tools, str(ROOT / ".venv/bin"), str(double), os.environ["PATH"]])
    committed = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    addresses = config_for(
        app_url=cloud.app_url,
        runpod_url=cloud.runpod_url,
        control_url=cloud.control_url,
        s3_endpoint=f"{cloud.app_url}/cdn-cgi/local/r2/s3",
    )
    os.environ["PATH"] = path
    # The workers here only sleep, so no image can be checked.
    known = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    unchecked = {f"photo-splat:{key}": "false" for key in ("imageLookup", "imageCheck") if key in known}
    whole = {key: str(value) for key, value in {**committed, **unchecked, **addresses}.items()}
    return {
        "whole stack": Stack(folder / "whole", path, whole),
        "empty program": Stack(folder / "empty", path, {}, program=SDKS),
    }


def measure(runs: int) -> dict[str, Any]:
    taken: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as name, running_cloud(Path(name)) as cloud:
        made = stacks(Path(name), cloud)
        for one in made.values():  # the first one compiles byte code
            one.up()
            one.destroy()
        for _ in range(runs):
            for label, one in made.items():
                rows = taken.setdefault(label, {"up": [], "preview": []})
                rows["up"].append(measured(one.up))
                rows["preview"].append(measured(one.preview))
                one.destroy()
    medians = {label: {step: median(rows) for step, rows in steps.items()} for label, steps in taken.items()}
    whole, empty = medians["whole stack"], medians["empty program"]
    return {
        "medians": medians,
        "ratio": {
            step: {key: round(whole[step][key] / empty[step][key], 2) for key in ("wall_s", "cpu_s")}
            for step in ("up", "preview")
        },
        "runs": taken,
    }


def imports(runs: int) -> dict[str, dict[str, float]]:
    def once(program: str) -> dict[str, float]:
        command = [sys.executable, "-W", "ignore", "-c", program]
        return measured(lambda: subprocess.run(command, cwd=ROOT, check=True, timeout=RUN_LIMIT_S))

    return {label: median([once(program) for _ in range(runs)]) for label, program in IMPORTS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/stack.json")
    options = parser.parse_args()
    before = round(os.getloadavg()[0], 1)
    recorded = {
        "command": f".venv/bin/python bench/stack.py --runs {options.runs}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "imports": imports(options.runs),
        **measure(options.runs),
        "load_of_the_machine": {"before": before, "after": round(os.getloadavg()[0], 1)},
    }
    options.out.write_text(json.dumps(recorded, indent=2) + "\n")
    print(json.dumps({key: recorded[key] for key in ("imports", "medians", "ratio")}, indent=2))


if __name__ == "__main__":
    main()
