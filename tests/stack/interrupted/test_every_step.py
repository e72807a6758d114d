"""Every step of `up` and of `destroy` is interrupted in every way. The next run finishes without duplicates or orphans.

A step is a request to one of the two services, or a write of the engine's state. `make test` takes the steps that
change something and the worst way for each; `scripts/test steps` takes all of them in all ways and records what it
found in bench/steps.json. That one may be stopped: it writes each verdict down (.tools/tests/steps.jsonl) and goes on
from there, as long as the sources are the same. Real engine, program, providers and stand-ins: rig.py says what is
shared between runs.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pytest

from scripts.splat_cli.state_file import repair
from tests.stack.conftest import BUCKET, ROOT, STACK, LocalCloud
from tests.stack.support.cut_proxy import Cut, How, Step, When
from tests.stack.support.rig import Rig, Run
from tests.stack.support.steps_journal import Journal, fingerprint

# "all", or one of the ways to break a run ("engine killed"), to walk through that one alone.
EVERY = os.environ.get("SPLAT_EVERY_STEP", "")
RECORD = ROOT / "bench" / "steps.json"
MENDED_BY_HAND = (ROOT / "docs" / "operations.md").read_text()
JOURNAL = ROOT / ".tools/tests/steps.jsonl"
# Runs that end too early for their cut (the last writes of a state) are tried again.
TRIES = 3
# Each run of the engine has a limit of its own (rig.py); how many there are depends on the program.
LIMIT_S = 0 if EVERY else 600
pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(LIMIT_S)]

WALKS = {"up", "destroy", "destroy after a cut up", "writes of up", "writes of destroy"}
# The first is the worst that can happen to a run: done, and nobody knows.
ALL_WAYS = [(how, when) for how in How if EVERY in ("", "all", how) for when in (When.AFTER, When.BEFORE)]
# Of the short walk: one step for each kind of thing that a lost answer could leave behind or make twice.
TELLING = {
    "PUT /resources/AccountToken/new",
    "POST /v2/serverless",
    "PUT /resources/WorkersScript/photo-splat-local",
    "DELETE /v2/serverless/*",
    "DELETE /resources/R2Bucket/photo-splat-local",
}
# Whatever a verdict depends on.
SOURCES = (
    "__main__.py",
    "Pulumi.yaml",
    f"Pulumi.{STACK}.yaml",
    "infra",
    "local_cloud",
    "scripts/splat_cli",
    "tests/stack",
)
walks: dict[str, object] = {}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an `up` and a `destroy` do that nothing disturbs: what there is to cut. `writes` are of their state."""

    steps_of_up: tuple[Step, ...]
    steps_of_destroy: tuple[Step, ...]
    writes_of_up: int
    writes_of_destroy: int


@pytest.fixture(scope="module")
def journal() -> Journal:
    if not EVERY:
        return Journal(None, sources="")
    return Journal(JOURNAL, sources=fingerprint(ROOT, SOURCES))


@pytest.fixture(scope="module")
def rig(cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with pytest.MonkeyPatch.context() as process:
        process.setenv("PATH", engine_path)
        made = Rig(tmp_path_factory.mktemp("rig"), cloud, engine_path)
        try:
            yield made
            if made.inventory():
                made.unlock()
                made.destroy()
        finally:
            made.close()
    cloud.assert_empty()


@pytest.fixture(scope="module")
def plan(rig: Rig, journal: Journal) -> Plan:
    """From two runs of now, or those of the walk that goes on: which writes are seen differs between runs."""
    told = journal.get("plan", "whole runs")
    if told is None:
        up, destroy = rig.up(), rig.destroy()
        assert (up.code, destroy.code) == (0, 0), up.said + destroy.said
        told = journal.put(
            "plan",
            "whole runs",
            steps_of_up=[asdict(step) for step in up.steps],
            steps_of_destroy=[asdict(step) for step in destroy.steps],
            writes_of_up=up.writes,
            writes_of_destroy=destroy.writes,
        )
    return Plan(
        steps_of_up=tuple(Step(**step) for step in told["steps_of_up"]),
        steps_of_destroy=tuple(Step(**step) for step in told["steps_of_destroy"]),
        writes_of_up=told["writes_of_up"],
        writes_of_destroy=told["writes_of_destroy"],
    )


@pytest.fixture(scope="module", autouse=True)
def record(plan: Plan) -> Iterator[None]:
    """Writes what an exhaustive walk found, once it went to its end."""
    yield
    if EVERY != "all" or set(walks) != WALKS:
        return
    told = {
        "command": "scripts/test steps",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "steps_of_up": [str(step) for step in plan.steps_of_up],
        "steps_of_destroy": [str(step) for step in plan.steps_of_destroy],
        "ways": [f"{how} {when}" for how, when in ALL_WAYS],
        "walks": walks,
    }
    RECORD.write_text(json.dumps(told, indent=2) + "\n")


def chosen(steps: tuple[Step, ...], *, engine_only: bool = False) -> list[Cut]:
    """The cuts of this run of the tests."""
    if EVERY:
        ways = [way for way in ALL_WAYS if way[0] is How.ENGINE or not engine_only]
        return [Cut(step=step, when=when, how=how) for step in steps for how, when in ways]
    telling = [step for step in steps if step.request in TELLING]
    cuts = [Cut(step=step, when=When.AFTER, how=How.ENGINE) for step in telling]
    if engine_only:
        return cuts
    # A create cannot be asked again: its answer is lost, or its provider dies with it.
    posts = [step for step in telling if step.request.startswith("POST ")]
    return cuts + [Cut(step=step, when=When.AFTER, how=how) for step in posts for how in (How.NETWORK, How.PROVIDER)]


class Walker:
    """Breaks a run in each way, lets the next one finish, and looks."""

    def __init__(self, rig: Rig, journal: Journal) -> None:
        self._rig = rig
        self._journal = journal

    def walk(self, name: str, cuts: list[tuple[str, Callable[[], Run]]], finish: Callable[[], list[str]]) -> None:
        """All failures are reported together."""
        found = {
            label: self._journal.get(name, label) or self._try(name, label, broken, finish) for label, broken in cuts
        }
        wrong = [f"{label}: {problem}" for label, verdict in found.items() for problem in verdict["problems"]]
        uncut = [label for label, verdict in found.items() if not verdict["struck"]]
        walks[name] = {
            "cuts": len(cuts),
            "struck": len(cuts) - len(uncut),
            "failures": len(wrong),
            "seconds": round(sum(verdict["seconds"] for verdict in found.values()), 1),
        }
        assert not wrong, "\n".join(wrong)
        assert not uncut, f"{len(uncut)} of {len(cuts)} runs ended before they could be cut: {uncut}"

    def _try(
        self, name: str, label: str, broken: Callable[[], Run], finish: Callable[[], list[str]]
    ) -> dict[str, object]:
        began, struck, wrong = time.monotonic(), False, list[str]()
        for _ in range(TRIES):
            struck = broken().cut
            self._rig.unlock()
            repair(self._rig.folder / "state")
            wrong = finish()
            if struck or wrong:
                break
        seconds = round(time.monotonic() - began, 1)
        verdict = self._journal.put(name, label, struck=struck, problems=wrong, seconds=seconds)
        if wrong:
            self._clear(label, wrong)
        return verdict

    def _clear(self, label: str, wrong: list[str]) -> None:
        """What one cut left must not be the next one's verdict."""
        self._rig.unlock()
        repair(self._rig.folder / "state")
        self._rig.destroy()
        assert not self._rig.inventory(), f"cannot go on after {label}: {wrong}"


@pytest.fixture(scope="module")
def walker(rig: Rig, journal: Journal) -> Walker:
    return Walker(rig, journal)


def finish_up(rig: Rig) -> list[str]:
    """The next `up` after a cut one; then everything goes, for the next cut."""
    run = rig.up()
    wrong = rig.check_whole() if run.code == 0 else [f"the next up failed:\n{run.said[-2000:]}"]
    return wrong + finish_destroy(rig)


def finish_destroy(rig: Rig) -> list[str]:
    run = rig.destroy()
    return rig.check_gone() if run.code == 0 else [f"the next destroy failed:\n{run.said[-2000:]}"]


def deployed(rig: Rig) -> Rig:
    made = rig.up()
    assert made.code == 0, made.said
    return rig


def test_an_up_that_is_cut_at_any_request_is_finished_by_the_next(rig: Rig, walker: Walker, plan: Plan) -> None:
    cuts = chosen(plan.steps_of_up)
    walker.walk("up", [(str(cut), lambda cut=cut: rig.up(cut)) for cut in cuts], lambda: finish_up(rig))


def test_a_destroy_that_is_cut_at_any_request_is_finished_by_the_next(rig: Rig, walker: Walker, plan: Plan) -> None:
    cuts = chosen(plan.steps_of_destroy)
    walker.walk(
        "destroy",
        [(str(cut), lambda cut=cut: deployed(rig).destroy(cut)) for cut in cuts],
        lambda: finish_destroy(rig),
    )


def test_a_half_made_stack_is_destroyed(rig: Rig, walker: Walker, plan: Plan) -> None:
    """Whoever gives up after a cut `up` destroys: what the cut run left without a word goes too."""
    cuts = chosen(plan.steps_of_up, engine_only=True)
    walker.walk(
        "destroy after a cut up",
        [(str(cut), lambda cut=cut: rig.up(cut)) for cut in cuts],
        lambda: finish_destroy(rig),
    )


def test_what_existed_before_the_stack_is_no_orphan(rig: Rig, plan: Plan) -> None:
    bucket = {"accountId": "0" * 32, "name": BUCKET}
    rig.cloud.cloudflare("PUT", f"/resources/R2Bucket/{BUCKET}", json={"props": bucket}).raise_for_status()
    before = {"R2Bucket": 1}
    assert rig.inventory() == before

    step = Step(request=f"PUT /resources/R2Bucket/{BUCKET}")
    cut = rig.up(Cut(step=step, when=When.BEFORE, how=How.ENGINE))
    rig.unlock()
    ended = rig.destroy()

    assert cut.cut
    assert ended.code == 0, ended.said
    assert rig.inventory() == before
    rig.cloud.cloudflare("DELETE", f"/resources/R2Bucket/{BUCKET}").raise_for_status()


# The attributes as seen after a kill; a truncated state was never seen, and is repaired too. More forms: the unit tests
# of state_file.py.
HALF_WRITTEN = {
    "attributes empty": (".attrs", b""),
    "state cut": ("", b'{"version": 3, "checkpoint": {"stack": "organization/photo-sp'),
}


@pytest.mark.parametrize("form", HALF_WRITTEN)
@pytest.mark.parametrize("by_hand", [False, True], ids=["splat", "by hand"])
def test_a_half_written_state_is_repaired_and_the_next_run_finishes(
    rig: Rig, plan: Plan, form: str, *, by_hand: bool
) -> None:
    """Both ways: what `splat` does before each run, and the commands of docs/operations.md for plain `pulumi`."""
    made = rig.up(Cut(step=Step(request="POST /v2/serverless"), when=When.AFTER, how=How.ENGINE))
    assert made.cut
    rig.unlock()
    part, content = HALF_WRITTEN[form]
    file = rig.state.with_name(rig.state.name + part)
    file.write_bytes(content)
    refused = rig.destroy()
    assert refused.code != 0
    assert "failed to load checkpoint" in refused.said or "snapshot" in refused.said, refused.said
    rig.unlock()

    if by_hand:
        for command in re.findall(r"^(find|cp) (.+)$", MENDED_BY_HAND, re.MULTILINE):
            if (command[0] == "cp") == (part == ""):
                line = " ".join(command).replace("STATE", str(rig.folder / "state")).replace("STACK", STACK)
                subprocess.run(["sh", "-c", line], check=True)
    else:
        assert repair(rig.folder / "state") == [STACK]

    assert finish_destroy(rig) == []


def test_an_engine_killed_at_any_write_of_its_state_is_followed_by_one_that_finishes(
    rig: Rig, walker: Walker, plan: Plan
) -> None:
    # The last writes come when everything is done: the engine may end before the kill.
    ups, downs = range(1, plan.writes_of_up - 1), range(1, plan.writes_of_destroy - 1)
    if not EVERY:
        ups, downs = ups[20:21], downs[20:21]
    walker.walk(
        "writes of up",
        [(f"up killed at write {nth}", lambda nth=nth: rig.up(killed_at_write=nth)) for nth in ups],
        lambda: finish_up(rig),
    )
    walker.walk(
        "writes of destroy",
        [
            (f"destroy killed at write {nth}", lambda nth=nth: deployed(rig).destroy(killed_at_write=nth))
            for nth in downs
        ],
        lambda: finish_destroy(rig),
    )
