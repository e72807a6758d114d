"""`splat verify-live`: parses and prints. Exit codes: 0 as assumed, 1 nothing to run on or something differs,
2 something that was created could not be removed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.options import ROOT, JsonOption, console

if TYPE_CHECKING:
    from scripts.splat_cli.verify_live.run import Verification
    from scripts.splat_cli.verify_live.targets import Targets

USD_MAX = 1.0
POOL = "ADA_24"


def verify_live(
    *,
    image: Annotated[
        str, typer.Option(help="Your worker image by digest: registry/team/splat-worker@sha256:…", metavar="REF")
    ] = "",
    max_cost: Annotated[float, typer.Option("--max-cost", min=0.01, help="US dollars that it may spend")] = USD_MAX,
    pool: Annotated[str, typer.Option(help="RunPod's pool of the card that runs the jobs")] = POOL,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A stage to run; repeat for more. Default: all")
    ] = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="Run on the stand-ins; needs no account")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the result; default: tests/contract/recorded")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare RunPod and Cloudflare with the stand-ins. Removes all that it creates, writes a dated file."""
    from scripts.splat_cli.verify_live.run import STAGES
    from scripts.splat_cli.verify_live.targets import live, rehearsal

    stages = tuple(only or STAGES)
    if unknown := sorted(set(stages) - set(STAGES)):
        raise CommandError(f"There is no stage {unknown[0]!r}.", hint=f"choose of {', '.join(STAGES)}")
    if rehearse:
        with rehearsal(ROOT) as targets:
            _verify(targets, stages, max_cost=max_cost, pool=pool, out=out, as_json=as_json)
        return
    targets = live(ROOT, image=image)
    try:
        _say_what_is_missing(targets)
        _verify(targets, stages, max_cost=max_cost, pool=pool, out=out or _recorded(), as_json=as_json)
    finally:
        targets.close()


def _recorded() -> Path:
    from scripts.splat_cli.verify_live.recording import FOLDER

    return ROOT / FOLDER


def _say_what_is_missing(targets: Targets) -> None:
    """One line per variable. Raises CommandError where no account is left, or no image."""
    from scripts.splat_cli.verify_live.targets import NEEDED

    for name in targets.missing:
        console.print(f"SKIPPED: {name} is not set. Set it to {NEEDED[name]}.", markup=False, soft_wrap=True)
    if targets.runpod is None and targets.cloudflare is None:
        raise CommandError(
            "Nothing was verified: there is no key for RunPod or Cloudflare.",
            hint="set the variables above (docs/first-deployment.md), or try it without an account: "
            "splat verify-live --rehearse",
        )
    if targets.runpod is not None and "@sha256:" not in targets.image:
        raise CommandError(
            f"The image {targets.image or '(none)'} is not pinned by its digest.",
            hint="add --image REF with the reference that the image workflow prints (docs/first-deployment.md)",
        )


def _verify(
    targets: Targets, stages: tuple[str, ...], *, max_cost: float, pool: str, out: Path | None, as_json: bool
) -> None:
    from scripts.splat_cli.smoke.run import choose
    from scripts.splat_cli.verify_live.budget import Budget
    from scripts.splat_cli.verify_live.check import NotObserved
    from scripts.splat_cli.verify_live.recording import text_of
    from scripts.splat_cli.verify_live.run import Verification
    from scripts.splat_cli.verify_live.targets import REHEARSAL

    run = Verification(
        runpod=targets.runpod,
        cloudflare=targets.cloudflare,
        image=targets.image,
        pool=pool,
        budget=Budget(limit_usd=max_cost),
        say=lambda line: console.print(line, markup=False, soft_wrap=True),
        photos=choose(ROOT / "samples/photos", 0),
        stages=stages,
        engine=targets.engine,
    )
    try:
        run.run()
    except NotObserved as problem:
        raise ServiceError(f"Nothing was verified: {problem}.", hint="fix this, then run the same command") from None
    finally:
        _report_what_is_left(run)
    day = datetime.now(UTC).date()
    text = text_of(run.results, day=day, platform=targets.platform, secrets=(*targets.secrets, run.name))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        file = out / f"{day.isoformat()}.json"
        file.write_text(text)
        rehearsed = targets.platform == REHEARSAL
        use = "It records the stand-ins: do not commit it." if rehearsed else "It has no key and no id: commit it."
        console.print(f"Wrote {file}. {use}", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(json.loads(text), indent=2))
    _report(run, rehearsed=targets.platform == REHEARSAL)


def _report_what_is_left(run: Verification) -> None:
    """Names what could not be removed, whatever else went wrong."""
    for one in run.left:
        console.print(f"NOT REMOVED: {one}", markup=False, soft_wrap=True)


def _report(run: Verification, *, rehearsed: bool) -> None:
    from scripts.splat_cli.verify_live.assumptions import of_check
    from scripts.splat_cli.verify_live.run import differences, unobserved

    different, not_seen = differences(run.results), unobserved(run.results)
    for one in different:
        for assumption in of_check(one.check):
            console.print(f"DIFFERS: {assumption}", markup=False, soft_wrap=True)
        console.print(
            f"  {one.check} ({one.how})\n  stand-in: {one.stand_in!r}\n  platform: {one.platform!r}",
            markup=False,
            soft_wrap=True,
        )
    same = len(run.results) - len(different) - len(not_seen)
    console.print(
        f"{same} of {len(run.results)} checks as assumed, {len(different)} differ, {len(not_seen)} not observed. "
        f"At most ${run.budget.spent_usd:.2f} were spent."
    )
    for reason in sorted({one.reason for one in not_seen}):
        names = ", ".join(one.check for one in not_seen if one.reason == reason)
        console.print(f"  not observed: {reason} ({names})", markup=False, soft_wrap=True)
    if run.left:
        raise ServiceError(
            f"{len(run.left)} things could not be removed.", hint="run the same command again, which removes them first"
        )
    if not_seen and rehearsed:
        raise ServiceError(
            f"{len(not_seen)} checks could not be made on the stand-ins.", hint="fix the reasons above, or report them"
        )
    if different:
        raise CommandError(
            "The platform differs from the stand-ins.",
            hint="send us the file, or open a pull request with it: docs/first-deployment.md",
        )
