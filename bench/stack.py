"""Seconds of `up` and of a preview without changes: the whole local stack against an empty program with the same SDKs.

    .venv/bin/python -m bench.stack [--runs 3]       # needs scripts/bootstrap --test; takes about four minutes

Starts the two stand-ins on free ports, creates a stack of the checkout's program and one of a program that only
imports pulumi and pulumi_cloudflare, and runs the `pulumi` command line on both in turn, so that other load meets
both. Also times the imports. Writes bench/stack.json. Wall seconds are what a person waits; processor seconds do not
depend on the neighbours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bench.record import BENCH, ROOT, arguments, cpu_s, medians, record, write
from infra.settings.local_stack import config_for
from tests.stack.conftest import STACK, LocalCloud, project_environment, running_cloud, write_project

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
Seconds = dict[str, float]


def measured(run: Callable[[], Any]) -> Seconds:
    """Wall seconds, and processor seconds of the processes that ended meanwhile."""
    before, began = cpu_s(), time.monotonic()
    run()
    return {"wall_s": round(time.monotonic() - began, 2), "cpu_s": round(cpu_s() - before, 2)}


def median(runs: list[Seconds]) -> Seconds:
    return medians(runs, ("wall_s", "cpu_s"))


class Stack:
    """A program and its stack, and `pulumi` commands on it."""

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
    unchecked = {f"photo-splat:{key}": "false" for key in ("imageLookup", "imageCheck")}
    whole = {key: str(value) for key, value in {**committed, **unchecked, **addresses}.items()}
    return {
        "whole stack": Stack(folder / "whole", path, whole),
        "empty program": Stack(folder / "empty", path, {}, program=SDKS),
    }


def measure(runs: int) -> dict[str, Any]:
    taken: dict[str, dict[str, list[Seconds]]] = {}
    with tempfile.TemporaryDirectory() as name, running_cloud(Path(name)) as cloud:
        made = stacks(Path(name), cloud)
        for one in made.values():  # the first run compiles byte code
            one.up()
            one.destroy()
        for _ in range(runs):
            for label, one in made.items():
                rows = taken.setdefault(label, {"up": [], "preview": []})
                rows["up"].append(measured(one.up))
                rows["preview"].append(measured(one.preview))
                one.destroy()
    middle = {label: {step: median(rows) for step, rows in steps.items()} for label, steps in taken.items()}
    whole, empty = middle["whole stack"], middle["empty program"]
    ratio = {step: {key: round(whole[step][key] / empty[step][key], 2) for key in whole[step]} for step in whole}
    return {"medians": middle, "ratio": ratio, "runs": taken}


def imports(runs: int) -> dict[str, Seconds]:
    def once(program: str) -> Seconds:
        command = [sys.executable, "-W", "ignore", "-c", program]
        return measured(lambda: subprocess.run(command, cwd=ROOT, check=True, timeout=RUN_LIMIT_S))

    return {label: median([once(program) for _ in range(runs)]) for label, program in IMPORTS.items()}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=BENCH / "stack.json")
    options = parser.parse_args()
    command = f".venv/bin/python -m bench.stack --runs {options.runs}"
    found = record(command, imports=imports(options.runs), **measure(options.runs))
    write(options.out, found)
    print(json.dumps({key: found[key] for key in ("imports", "medians", "ratio")}, indent=1))


if __name__ == "__main__":
    main()
