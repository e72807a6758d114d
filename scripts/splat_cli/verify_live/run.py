"""Runs the stages on two accounts within a budget, and removes everything that they created, whatever happens."""

from __future__ import annotations

import contextlib
import secrets
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scripts.splat_cli.verify_live.accounts import NAME, Cloudflare, NotRemoved, Runpod
from scripts.splat_cli.verify_live.budget import Budget, OverBudget
from scripts.splat_cli.verify_live.check import NOT_OBSERVED, Check, NotObserved, Result, Stage, make, skipped
from scripts.splat_cli.verify_live.checks import (
    account,
    buckets,
    endpoint_change,
    endpoint_create,
    jobs,
    scripts,
    stack,
)
from scripts.splat_cli.verify_live.checks.buckets import Buckets
from scripts.splat_cli.verify_live.checks.endpoint_subject import Endpoints
from scripts.splat_cli.verify_live.checks.job_subject import SCENE_LIMIT_S, SELF_TEST_LIMIT_S, Jobs
from scripts.splat_cli.verify_live.checks.scripts import Scripts
from scripts.splat_cli.verify_live.checks.stack import Stack

STAGES: Mapping[str, Stage[Any]] = {
    one.name: one
    for one in (
        *(endpoint_create.STAGE, endpoint_change.STAGE, account.STAGE),
        *(buckets.STAGE, scripts.STAGE, jobs.STAGE, stack.STAGE),
    )
}
JOBS_SECONDS = SELF_TEST_LIMIT_S + SCENE_LIMIT_S
REMOVE_TRIES = 5
Say = Callable[[str], None]
Named = tuple[str, str, str]


@dataclass(kw_only=True)
class Verification:
    """One run. image: of the worker. engine: runs the program for the stage `stack`; None skips it."""

    runpod: Runpod | None
    cloudflare: Cloudflare | None
    image: str
    pool: str
    budget: Budget
    say: Say
    photos: Sequence[Path] = ()
    stages: Collection[str] = tuple(STAGES)
    engine: stack.MakeEngine | None = None
    name: str = field(default_factory=lambda: f"verify-live-{secrets.token_hex(4)}")
    results: list[Result] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def run(self) -> list[Result]:
        """All results. Removes the orphans of earlier runs first, and everything of this run at the end, also after
        Ctrl-C; `left` names what could not be removed."""
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name} is no name of a run")
        self._remove(self._orphans(), "of an earlier run that was interrupted")
        try:
            with contextlib.ExitStack() as shared:
                self._stages(shared)
        finally:
            with _undisturbed(self.say):
                self._remove(self._of_this_run(), "")
        return self.results

    def _stages(self, shared: contextlib.ExitStack) -> None:
        bucket: Buckets | None = None
        receiver: Scripts | None = None
        if self.runpod is not None:
            gpus = self._cards(self.runpod)
            endpoints = Endpoints(
                runpod=self.runpod, name=self.name, image=self.image, pool=self.pool, gpus=tuple(gpus)
            )
            for stage in (endpoint_create.STAGE, endpoint_change.STAGE, account.STAGE):
                self._stage(stage, endpoints)
        if self.cloudflare is not None:
            bucket = Buckets(cloudflare=self.cloudflare, name=self.name)
            bucket = bucket if self._stage(buckets.STAGE, bucket, start=bucket.start) else None
            receiver = Scripts(cloudflare=self.cloudflare, name=self.name)
            receiver = receiver if self._stage(scripts.STAGE, receiver, start=receiver.start) else None
        if self.runpod is not None:
            self._jobs(self.runpod, endpoints, bucket, receiver, usd_per_s=max(gpus.values()) / 3600)
        if self.engine is None:
            self._skip(stack.STAGE, "there is no Pulumi engine or no account for it")
        else:
            # The stack's own script and bucket take the place of the run's.
            self._remove(self._of_this_run(), "")
            made = Stack(engine=shared.enter_context(self.engine(self.name)), left=self._names_left)
            self._stage(stack.STAGE, made, start=made.start)
        for stage in STAGES.values():
            if not any(one.check == stage.checks[0].name for one in self.results):
                self._skip(stage, "its account has no key")

    def _jobs(
        self,
        runpod: Runpod,
        endpoints: Endpoints,
        bucket: Buckets | None,
        receiver: Scripts | None,
        *,
        usd_per_s: float,
    ) -> None:
        if jobs.STAGE.name not in self.stages:
            return
        try:
            self.budget.reserve("the stage jobs", seconds=JOBS_SECONDS, usd_per_s=usd_per_s)
        except OverBudget as problem:
            self._skip(jobs.STAGE, str(problem))
            return
        began_s = time.monotonic()
        work = Jobs(
            runpod=runpod,
            endpoints=endpoints,
            deadline_s=began_s + JOBS_SECONDS,
            receiver=receiver,
            bucket=bucket,
            photos=self.photos,
        )
        try:
            self._stage(jobs.STAGE, work, start=work.start)
        finally:
            if work.endpoint:
                endpoints.delete(work.endpoint)
            self.budget.give_back(seconds=JOBS_SECONDS - (time.monotonic() - began_s), usd_per_s=usd_per_s)

    def _cards(self, runpod: Runpod) -> dict[str, float]:
        """GPU types of the pool with today's price in $ an hour. Raises NotObserved where there is none."""
        answer = runpod.call("GET", "/catalog/gpus")
        if not answer.is_success:
            raise NotObserved(f"GET /catalog/gpus answered {answer.status_code}. Check RUNPOD_API_KEY")
        found = {
            str(one["id"]): float(one["price"]["serverless"])
            for one in answer.json()["gpus"]
            if one.get("pool") == self.pool and "serverless" in (one.get("price") or {})
        }
        if not found:
            raise NotObserved(f"RunPod's catalogue has no priced card in the pool {self.pool}. Set --pool to another")
        return found

    def _stage(self, stage: Stage[Any], subject: Any, *, start: Callable[[], None] | None = None) -> bool:
        """Make the checks of a stage. Whether its preparation succeeded."""
        if stage.name not in self.stages:
            return False
        self.say(f"{stage.title}: {len(stage.checks)} checks")
        try:
            if start is not None:
                start()
        except (NotObserved, NotRemoved) as problem:
            self._skip(stage, str(problem))
            return False
        except httpx.HTTPError as problem:
            self._skip(stage, f"no answer ({type(problem).__name__})")
            return False
        except (KeyError, TypeError, ValueError) as problem:
            self._skip(stage, f"an answer has another form ({type(problem).__name__}: {problem})")
            return False
        self.results += [make(check, subject) for check in stage.checks]
        return True

    def _skip(self, stage: Stage[Any], reason: str) -> None:
        if stage.name not in self.stages:
            return
        self.say(f"{stage.title} was not checked: {reason}.")
        self.results += skipped(stage, reason)

    def _accounts(self) -> list[Runpod | Cloudflare]:
        return [one for one in (self.runpod, self.cloudflare) if one is not None]

    def _orphans(self) -> list[tuple[Runpod | Cloudflare, Named]]:
        return [(owner, one) for owner in self._accounts() for one in owner.named() if self.name not in one[2]]

    def _of_this_run(self) -> list[tuple[Runpod | Cloudflare, Named]]:
        found = []
        for owner in self._accounts():
            try:
                found += [(owner, one) for one in owner.named() if self.name in one[2]]
            except (NotObserved, httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
                self.left.append(f"{type(owner).__name__} could not be listed ({problem})")
        return found

    def _names_left(self) -> list[str]:
        """Kinds of what exists with this run's name."""
        return sorted(one[0] for _, one in self._of_this_run())

    def _remove(self, found: list[tuple[Runpod | Cloudflare, Named]], which: str) -> None:
        # A token may be what empties a bucket, and a script binds a bucket: scripts, then buckets, then the rest.
        order = ("endpoint", "script", "bucket", "registries", "token")
        for owner, (kind, identity, name) in sorted(found, key=lambda one: order.index(one[1][0].partition(":")[0])):
            if which:
                self.say(f"Removing {kind.partition(':')[0]} {name} {which}.")
            for attempt in range(REMOVE_TRIES):
                try:
                    owner.remove(kind, identity)
                    break
                except (NotRemoved, NotObserved, httpx.HTTPError) as problem:
                    if attempt == REMOVE_TRIES - 1:
                        self.left.append(f"{kind.partition(':')[0]} {name} ({problem})")
                    else:
                        owner.sleep(2.0)


@contextlib.contextmanager
def _undisturbed(say: Say) -> Iterator[None]:
    """Hold back a second Ctrl-C while everything is removed."""

    def told(_number: int, _frame: Any) -> None:
        say("Everything is being removed. Please wait.")

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        before = {number: signal.signal(number, told) for number in numbers}
    except ValueError:  # not the main thread, which gets no signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def all_checks() -> list[Check[Any]]:
    return [check for stage in STAGES.values() for check in stage.checks]


def differences(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if one.verdict == "differs"]


def unobserved(results: Sequence[Result]) -> list[Result]:
    return [one for one in results if one.verdict == NOT_OBSERVED]
