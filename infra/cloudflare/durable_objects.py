"""Which Durable Object migration an upload of the script must carry; Cloudflare itself is queried.
Decides one input of WorkersScript; deploys nothing.

Cloudflare accepts a migration only if its old tag is the deployed tag (code 10079), and none if nothing is new.
wrangler therefore queries the deployed tag before each upload. A plain WorkersScript sends the same text each time, so
Cloudflare rejects its second upload (pulumi-cloudflare 1215). This resource does what wrangler does, and repeats its
answer while nothing else of the script changes, so that no plan shows a diff.

It repeats the answer only if the upload is recorded too. A run that is killed after the upload, and before its record,
has deployed the tag. The next run uploads again, and Cloudflare would reject the old answer every time. `recorded` is
the tag that the last recorded upload carried; the service exports it as an output of the stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    DiffResult,
    Resource,
)

from infra.cloudflare.api import CloudflareApiError, api_from_config
from infra.dynamic import Props, StoredInputs, differ, plain_errors

_INPUTS = ("accountId", "scriptName", "history", "fingerprint")
# An upload after the first carries no migration. A plan would show that as the deletion of one; `carries` shows it.
HIDDEN = ["migrations"]


class UnknownTag(Exception):
    """The deployed tag is not in our history: the script is newer than this checkout, or a different script."""


def migration_for(history: Sequence[Mapping[str, Any]], deployed: str | None) -> Props:
    """What the next upload must carry, as WorkersScript takes it; {} for nothing. `history` is the list of
    wrangler.jsonc, oldest first. Raises UnknownTag."""
    tags = [str(step["tag"]) for step in history]
    if deployed is None:
        pending = list(history)
    elif deployed in tags:
        pending = list(history[tags.index(deployed) + 1 :])
    else:
        raise UnknownTag(
            f"the deployed script has the Durable Object tag {deployed}, but this checkout has {', '.join(tags)}. "
            "Deploy from a newer checkout"
        )
    if not pending:
        return {}
    steps = [{"newSqliteClasses": sorted(step.get("new_sqlite_classes", ()))} for step in pending]
    answer: Props = {"newTag": tags[-1], "steps": steps}
    if deployed is not None:
        answer["oldTag"] = deployed
    return answer


def decide(olds: Props, news: Props, deployed: str | None, recorded: str) -> Props:
    """The last answer while it is still valid and its upload is recorded, else a new one."""
    fresh = migration_for(news["history"], deployed)
    unchanged = bool(olds) and not differ(olds, news, _INPUTS)
    before = dict(olds.get("migrations") or {})
    if unchanged and not fresh and recorded == carried_tag(before):
        return before
    return fresh


def carried_tag(migrations: Mapping[str, Any] | None) -> str:
    """The tag that an upload with these migrations leads to; "" for one without."""
    return str((migrations or {}).get("newTag") or "")


def in_words(migrations: Mapping[str, Any]) -> str:
    """What an upload with these migrations does to the classes, for a plan."""
    if not migrations:
        return "no new class"
    new = sorted(name for step in migrations["steps"] for name in step["newSqliteClasses"])
    return f"tag {migrations['newTag']}, new: {', '.join(new)}"


@plain_errors(CloudflareApiError)
class MigrationProvider(StoredInputs):
    """Queries at check, so that a preview already shows what the upload will carry."""

    inputs = (*_INPUTS, "migrations", "carries")
    id_input = "scriptName"
    _config: Any

    def configure(self, req: ConfigureRequest) -> None:
        self._config = req.config

    def check(self, olds: Props, news: Props) -> CheckResult:
        inputs = {key: news.get(key) for key in _INPUTS}
        account, script = str(news["accountId"]), str(news["scriptName"])
        try:
            deployed = self._deployed_tag(account, script)
            if deployed is not None:
                self._report_unmanaged(account, script, news.get("declared") or ())
            inputs["migrations"] = decide(olds, inputs, deployed, str(news.get("recorded") or ""))
        except UnknownTag as problem:
            return CheckResult(inputs, [CheckFailure("history", str(problem))])
        except CloudflareApiError:
            if not olds or differ(olds, inputs, _INPUTS):
                raise
            inputs["migrations"] = olds.get("migrations") or {}  # nothing will be uploaded, so the tag does not matter
        return CheckResult({**inputs, "carries": in_words(inputs["migrations"] or {})}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=differ(olds, news, (*_INPUTS, "migrations")))

    def _report_unmanaged(self, account: str, script: str, declared: Sequence[str]) -> None:
        """The provider marks the list of bindings as secret, so that no plan shows one that somebody added."""
        for name in sorted(set(api_from_config(self._config, account).script_bindings(script)) - set(declared)):
            # The engine shows a provider's stdout as this resource's diagnostics.
            print(f"drift: the Worker has the binding {name}, which this stack does not declare")

    def _deployed_tag(self, account: str, script: str) -> str | None:
        """The tag of the deployed script; None when the script does not exist or has none."""
        scripts = api_from_config(self._config, account).scripts()
        return next((one.migration_tag for one in scripts if one.name == script), None)


class DurableObjectMigration(Resource, module="cloudflare", name="DurableObjectMigration"):
    """`migrations` is what WorkersScript takes under that name; empty for nothing. `fingerprint` is any text that
    changes whenever something else of the script does. `declared` are the names of its bindings."""

    migrations: pulumi.Output[Mapping[str, Any]]

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        script_name: str,
        history: Sequence[Mapping[str, Any]],
        declared: Sequence[str],
        fingerprint: pulumi.Input[str],
        recorded: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "accountId": account_id,
            "scriptName": script_name,
            "history": [dict(step) for step in history],
            "declared": list(declared),
            "fingerprint": fingerprint,
            "recorded": recorded,
            "migrations": None,
            "carries": None,
        }
        own = pulumi.ResourceOptions(hide_diffs=HIDDEN)
        super().__init__(MigrationProvider(), resource_name, props, pulumi.ResourceOptions.merge(opts, own))
