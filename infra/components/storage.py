"""The bucket of photos and scenes: rules, the one key that opens it, and its emptying on destroy.
The key opens this bucket only; no origin but the app's may use it from a page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.bucket_contents import BucketContents
from infra.bucket_place import BucketPlace
from infra.stray_tokens import StrayTokens

# Names are Cloudflare's: "Workers R2 Storage Bucket Item Write" and "… Read". Sorted, one policy:
# the API returns them sorted, and another order is an endless diff (provider issues 7094, 5548).
PERMISSION_GROUPS = tuple(sorted(("2efd5506f9c8494dacb1fa10a3e7d5b6", "6a018a9f2fc74eb6b293b0c548f38b39")))
DAY_S = 86_400
ABORT_UPLOADS_AFTER_S = 7 * DAY_S
CORS_MAX_AGE_S = 3600


class Storage(pulumi.ComponentResource):
    """Outputs the bucket's name, its S3 pair (secret), and `contents`: let whatever writes depend on it."""

    bucket_name: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    contents: BucketContents
    token_name: pulumi.Output[str]
    token_ids: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        *,
        account_id: str,
        bucket_name: str,
        s3_url: str,
        app_url: str,
        deployment_id: pulumi.Input[str],
        jurisdiction: str,
        location: str | None = None,
        object_lifetime_days: int = 0,
        key_generation: int = 1,
        keep_previous_key: bool = True,
        adopt: bool = False,
        protect: bool = False,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`after` are resources that must be there before anything here is, and go after it. `adopt` takes over the
        bucket of that name instead of making one; a higher `key_generation` makes another key pair. The one before
        lives on with `keep_previous_key`, since jobs under way hold addresses signed with it; it ends with the next
        generation or without that flag, always after whatever uses this one has the new."""
        super().__init__("splat:storage:Storage", name, {}, opts)
        fixed = BucketPlace(
            f"{name}-place",
            account_id=account_id,
            bucket=bucket_name,
            jurisdiction=jurisdiction,
            location=location or "",
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        place: dict[str, Any] = {"account_id": account_id, "jurisdiction": fixed.jurisdiction}
        bucket = cloudflare.R2Bucket(
            f"{name}-bucket",
            name=fixed.bucket,
            location=location,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                retain_on_delete=protect,
                import_=f"{account_id}/{bucket_name}/{jurisdiction}" if adopt else None,
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
            rules=lifecycle_rules(object_lifetime_days),
            opts=inside,
            **place,
        )
        token_name = pulumi.Output.concat(bucket_name, " objects ", deployment_id)
        # Made before the token and gone after it: what a cut-off run leaves is swept on destroy at the latest.
        sweep = StrayTokens(f"{name}-stray-tokens", account_id=account_id, token_name=token_name, opts=inside)
        oldest = key_generation - 1 if keep_previous_key and key_generation > 1 else key_generation
        tokens = [
            # Two resources by turns: making the next pair replaces the one before the last and touches no other.
            cloudflare.AccountToken(
                f"{name}-token" if generation % 2 else f"{name}-token-even",
                account_id=account_id,
                name=token_name,
                policies=[_bucket_policy(account_id, jurisdiction, bucket_name)],
                opts=pulumi.ResourceOptions(parent=self, depends_on=[bucket, sweep], replacement_trigger=generation),
            )
            for generation in range(oldest, key_generation + 1)
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
    """Setting rules replaces the whole set, so R2's own rule against forgotten uploads is restated."""
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
    """The app's own origin, and only what it does: put photos, read scenes in parts. A header that a page sends and
    that is not named here ends its upload before it begins; `content-length` is the browser's own and needs no name."""
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
