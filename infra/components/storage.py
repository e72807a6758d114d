"""The bucket of photos and scenes: rules, the one key that opens it, and its emptying on destroy.
The key opens only this bucket; only pages of the app's origin may use it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.bucket_contents import BucketContents
from infra.cloudflare.bucket_placement import BucketPlacement
from infra.cloudflare.orphan_tokens import OrphanTokens
from infra.settings.model import SecretSettings, StorageSettings

# Cloudflare's names: "Workers R2 Storage Bucket Item Write" and "… Read". Sorted, one policy: the API returns them
# sorted, and another order is an endless diff (provider issues 7094, 5548).
PERMISSION_GROUPS = tuple(sorted(("2efd5506f9c8494dacb1fa10a3e7d5b6", "6a018a9f2fc74eb6b293b0c548f38b39")))
DAY_S = 86_400
ABORT_UPLOADS_AFTER_S = 7 * DAY_S
CORS_MAX_AGE_S = 3600


class Storage(pulumi.ComponentResource):
    """Outputs the bucket's name, its S3 key pair (secret), and `contents`: let whatever writes depend on it."""

    bucket_name: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    contents: BucketContents
    token_name: pulumi.Output[str]
    token_ids: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        settings: StorageSettings,
        secrets: SecretSettings,
        *,
        account_id: str,
        bucket_name: str,
        s3_url: str,
        app_url: str,
        deployment_id: pulumi.Input[str],
        protect: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`after` are resources that must exist before anything here does, and are deleted after it.

        A higher generation of the key creates another key pair. With `keep_previous_secrets` the pair before stays
        valid, since running jobs hold addresses signed with it. It is revoked by the next generation, or without that
        setting, and always after its users have the new pair."""
        super().__init__("splat:storage:Storage", name, {}, opts)
        jurisdiction = settings.jurisdiction.value
        placement = BucketPlacement(
            f"{name}-placement",
            account_id=account_id,
            bucket=bucket_name,
            jurisdiction=jurisdiction,
            location=settings.location or "",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        place: dict[str, Any] = {"account_id": account_id, "jurisdiction": placement.jurisdiction}
        bucket = cloudflare.R2Bucket(
            f"{name}-bucket",
            name=placement.bucket,
            location=settings.location,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                retain_on_delete=protect,
                import_=f"{account_id}/{bucket_name}/{jurisdiction}" if settings.adopt_bucket else None,
            ),
            **place,
        )
        inside = pulumi.ResourceOptions(parent=self, depends_on=[bucket])
        cloudflare.R2BucketCors(
            f"{name}-cors", bucket_name=bucket.name, rules=[_cors_rule(app_url)], opts=inside, **place
        )
        cloudflare.R2BucketLifecycle(
            f"{name}-lifecycle",
            bucket_name=bucket.name,
            rules=lifecycle_rules(settings.object_lifetime_days),
            opts=inside,
            **place,
        )
        token_name = pulumi.Output.concat(bucket_name, " objects ", deployment_id)
        # Created before the token and deleted after it, so a destroy revokes the tokens of an interrupted run.
        sweep = OrphanTokens(f"{name}-orphan-tokens", account_id=account_id, token_name=token_name, opts=inside)
        current = secrets.bucket_key_generation
        oldest = current - 1 if secrets.keep_previous_secrets and current > 1 else current
        tokens = [
            # Two resources in turn: the next pair replaces the pair before the last and touches no other.
            cloudflare.AccountToken(
                f"{name}-token" if generation % 2 else f"{name}-token-even",
                account_id=account_id,
                name=token_name,
                policies=[_bucket_policy(account_id, jurisdiction, bucket_name)],
                opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket, sweep], replacement_trigger=generation),
            )
            for generation in range(oldest, current + 1)
        ]
        token = tokens[-1]
        self.token_name = token_name
        self.token_ids = pulumi.Output.all(*(one.id for one in tokens))
        self.bucket_name = bucket.name
        self.access_key_id = pulumi.Output.secret(token.id)
        # R2's rule: the secret key is the SHA-256 of the token's value. Inside apply it stays secret.
        self.secret_access_key = pulumi.Output.secret(
            token.value.apply(lambda value: hashlib.sha256(value.encode()).hexdigest())
        )
        self.contents = BucketContents(
            f"{name}-contents",
            endpoint=s3_url,
            bucket=bucket.name,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[bucket, token], protect=protect, retain_on_delete=protect
            ),
        )
        self.register_outputs({"bucketName": self.bucket_name})


def lifecycle_rules(object_lifetime_days: int) -> list[cloudflare.R2BucketLifecycleRuleArgs]:
    """Rules replace the whole set, so this repeats R2's own rule against unfinished uploads."""
    rules = [
        cloudflare.R2BucketLifecycleRuleArgs(
            id="abort-unfinished-uploads",
            enabled=True,
            conditions=cloudflare.R2BucketLifecycleRuleConditionsArgs(prefix=""),
            abort_multipart_uploads_transition=cloudflare.R2BucketLifecycleRuleAbortMultipartUploadsTransitionArgs(
                condition=cloudflare.R2BucketLifecycleRuleAbortMultipartUploadsTransitionConditionArgs(
                    type="Age", max_age=ABORT_UPLOADS_AFTER_S
                )
            ),
        )
    ]
    if object_lifetime_days:
        rules.append(
            cloudflare.R2BucketLifecycleRuleArgs(
                id="expire-objects",
                enabled=True,
                conditions=cloudflare.R2BucketLifecycleRuleConditionsArgs(prefix=""),
                delete_objects_transition=cloudflare.R2BucketLifecycleRuleDeleteObjectsTransitionArgs(
                    condition=cloudflare.R2BucketLifecycleRuleDeleteObjectsTransitionConditionArgs(
                        type="Age", max_age=object_lifetime_days * DAY_S
                    )
                ),
            )
        )
    return rules


def _cors_rule(app_url: str) -> cloudflare.R2BucketCorsRuleArgs:
    """The app's own origin, and only what the app does: put photos, read scenes in parts. The browser rejects an upload
    with a header that is not named here; `content-length` is its own and needs no name."""
    return cloudflare.R2BucketCorsRuleArgs(
        id="app",
        allowed=cloudflare.R2BucketCorsRuleAllowedArgs(
            origins=[app_url],
            methods=["GET", "HEAD", "PUT"],
            headers=["content-type", "if-none-match", "range"],
        ),
        expose_headers=["content-length", "content-range", "etag"],
        max_age_seconds=CORS_MAX_AGE_S,
    )


def _bucket_policy(account_id: str, jurisdiction: str, bucket: str) -> cloudflare.AccountTokenPolicyArgs:
    resource = f"com.cloudflare.edge.r2.bucket.{account_id}_{jurisdiction}_{bucket}"
    return cloudflare.AccountTokenPolicyArgs(
        effect="allow",
        permission_groups=[cloudflare.AccountTokenPolicyPermissionGroupArgs(id=group) for group in PERMISSION_GROUPS],
        resources=json.dumps({resource: "*"}),
    )
