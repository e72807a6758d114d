"""Fuzzes some kinds: every case in a process that a crash, a hang, a traceback or too much memory is noticed in.

    python -m tests.fuzz photos job-input --cases 10000 --seed 1
    python -m tests.fuzz photos --seed 1 --only 4711          # one case again; its bytes are kept

Exit code 1 if a case fails. photos, job-input and checkpoints run in .venv-worker, configuration in .venv.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.kinds import KINDS, case, load

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".tools/fuzz"
CASE_LIMIT_S = 60.0
START_LIMIT_S = 180.0
MEMORY_MAX_BYTES = 1 << 30
FAILURES_MAX = 20


def main() -> int:
    options = _arguments()
    if options.child:
        return child(options.kinds[0], options.seed, options.first, options.cases, Path(options.child))
    failed = 0
    for name in options.kinds:
        first, end = (options.only, options.only + 1) if options.only is not None else (0, options.cases)
        began, found = time.monotonic(), fuzz(name, options.seed, first, end)
        for number, why in found:
            KEPT.mkdir(parents=True, exist_ok=True)
            kept = KEPT / f"{name}-{options.seed}-{number}"
            kept.write_bytes(case(load(name), name, options.seed, number))
            print(f"{name} case {number}: {why}")
            print(f"  again: python -m tests.fuzz {name} --seed {options.seed} --only {number}")
        failed += len(found)
        print(f"{name}: {end - first} cases, {len(found)} failed, {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


def fuzz(name: str, seed: int, first: int, end: int) -> list[tuple[int, str]]:
    """Numbers of the cases that failed, with the reason. Goes on behind a case that ended its process."""
    found: list[tuple[int, str]] = []
    while first < end and len(found) < FAILURES_MAX:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            number, why = _watch(name, seed, first, end, Path(folder))
        if why is None:
            break
        found.append((number, why))
        first = number + 1
    return found


def _watch(name: str, seed: int, first: int, end: int, folder: Path) -> tuple[int, str | None]:
    """The case at which a process ended, and why; None where it did all cases."""
    place, errors = folder / "case", folder / "errors"
    command = [sys.executable, "-m", "tests.fuzz", name, "--seed", str(seed), "--first", str(first)]
    with errors.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--cases", str(end), "--child", str(folder)], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
        )
    seen, since = "", time.monotonic()
    try:
        while process.poll() is None:
            now = place.read_text() if place.exists() else ""
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > (CASE_LIMIT_S if seen else START_LIMIT_S):
                process.kill()
                process.wait()
                return int(seen or first), f"no end after {CASE_LIMIT_S:.0f} s"
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode == 0:
        return end, None
    last = place.read_text() if place.exists() else ""
    said = errors.read_text(errors="replace").strip().splitlines()[-12:]
    return int(last or first), "\n  ".join([f"exit code {process.returncode}", *said])


def child(name: str, seed: int, first: int, end: int, folder: Path) -> int:
    """All cases in this process; leaves the number of the current one in a file."""
    kind = load(name)
    place, work = folder / "case", folder / "work"
    for number in range(first, end):
        place.write_text(str(number))
        data = case(kind, name, seed, number)
        work.mkdir()
        try:
            kind.check(data, work)
        except Exception:
            traceback.print_exc()
            return 1
        shutil.rmtree(work)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if peak > MEMORY_MAX_BYTES:
            print(f"the process took {peak >> 20} MiB")
            return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="+", choices=sorted(KINDS))
    parser.add_argument("--cases", type=int, default=10_000, help="of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one case")
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
