"""Which Durable Object migration an upload of the script must carry, asked of the service itself.
Decides one input of WorkersScript; deploys nothing.

Cloudflare takes a migration only when its old tag is the deployed one (code 10079), and wants none when
there is nothing new; wrangler asks for the deployed tag before each upload. A plain WorkersScript sends
the same text each time, so its second upload is refused (pulumi-cloudflare 1215). This resource asks as
wrangler does, and keeps its answer while nothing else of the script changes, so that no plan shows a diff.

It keeps it only if the upload is on record too. A run that is killed after the upload and before it wrote that down
has deployed the tag, and an engine that knows of no upload sends the next one: with the old answer it would be
refused for ever. `recorded` is the tag that the last recorded upload carried, which the stack keeps as an output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from infra.cloudflare_api import CloudflareApiError, api_from
from infra.plain_errors import speaks_plainly

Props = dict[str, Any]
_INPUTS = ("accountId", "scriptName", "history", "fingerprint")


class UnknownTag(Exception):
    """The deployed tag is not in our history: the script is newer than this checkout, or another one."""


def migration_for(history: Sequence[Mapping[str, Any]], deployed: str | None) -> Props:
    """What the next upload must carry, in WorkersScript's own words; {} for nothing. `history` is the
    list of wrangler.jsonc, oldest first. Raises UnknownTag."""
    tags = [str(step["tag"]) for step in history]
    if deployed is None:
        pending = list(history)
    elif deployed in tags:
        pending = list(history[tags.index(deployed) + 1 :])
    else:
        raise UnknownTag(
            f"the deployed script has the Durable Object tag {deployed}, this checkout knows {', '.join(tags)}: "
            "deploy from a newer checkout"
        )
    if not pending:
        return {}
    steps = [{"newSqliteClasses": sorted(step.get("new_sqlite_classes", ()))} for step in pending]
    answer: Props = {"newTag": tags[-1], "steps": steps}
    if deployed is not None:
        answer["oldTag"] = deployed
    return answer


def decide(olds: Props, news: Props, deployed: str | None, recorded: str) -> Props:
    """The answer of last time while it still holds and its upload is on record, else a fresh one."""
    fresh = migration_for(news["history"], deployed)
    unchanged = bool(olds) and all(olds.get(key) == news.get(key) for key in _INPUTS)
    before = dict(olds.get("migrations") or {})
    if unchanged and not fresh and recorded == carried_tag(before):
        return before
    return fresh


def carried_tag(migrations: Mapping[str, Any] | None) -> str:
    """The tag that an upload with these migrations leads to; "" for one without."""
    return str((migrations or {}).get("newTag") or "")


@speaks_plainly(CloudflareApiError)
class MigrationProvider(ResourceProvider):
    """Asks at check, so that a preview already shows what the upload will carry."""

    _config: Any

    def configure(self, req: ConfigureRequest) -> None:
        self._config = req.config

    def check(self, olds: Props, news: Props) -> CheckResult:
        inputs = {key: news.get(key) for key in _INPUTS}
        try:
            deployed = self._deployed_tag(str(news["accountId"]), str(news["scriptName"]))
            inputs["migrations"] = decide(olds, inputs, deployed, str(news.get("recorded") or ""))
        except UnknownTag as problem:
            return CheckResult(inputs, [CheckFailure("history", str(problem))])
        except CloudflareApiError:
            if not olds or any(olds.get(key) != inputs[key] for key in _INPUTS):
                raise
            inputs["migrations"] = olds.get("migrations") or {}  # nothing will be uploaded: no need to know
        return CheckResult(inputs, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in (*_INPUTS, "migrations")))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props["scriptName"]), _state(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(_state(news))

    def _deployed_tag(self, account: str, script: str) -> str | None:
        """The tag of the deployed script; None when there is no such script, or it has none."""
        scripts = api_from(self._config, account).scripts()
        return next((one.migration_tag for one in scripts if one.name == script), None)


def _state(props: Props) -> Props:
    return {key: props.get(key) for key in (*_INPUTS, "migrations")}


class DurableObjectMigration(Resource, module="cloudflare", name="DurableObjectMigration"):
    """`migrations` is what WorkersScript takes under that name; empty for nothing. `fingerprint` is any
    text that changes whenever something else of the script does."""

    migrations: pulumi.Output[Mapping[str, Any]]

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        script_name: str,
        history: Sequence[Mapping[str, Any]],
        fingerprint: pulumi.Input[str],
        recorded: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "accountId": account_id,
            "scriptName": script_name,
            "history": [dict(step) for step in history],
            "fingerprint": fingerprint,
            "recorded": recorded,
            "migrations": None,
        }
        super().__init__(MigrationProvider(), resource_name, props, opts)
