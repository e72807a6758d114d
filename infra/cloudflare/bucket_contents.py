"""The objects in a bucket, as a resource that empties the bucket when it is deleted.
Creates, reads and changes no object; a bucket that is kept keeps its objects.

A resource and not a before_delete hook, because hooks make the engine refuse a plain `pulumi destroy`
(docs/decisions/0005-emptying-the-bucket.md)."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from infra.dynamic import Props, StoredInputs, plain_errors

PASSES_MAX = 5  # a worker that is being stopped may still write once or twice


class NotEmptied(Exception):
    """Objects are left in the bucket. `str()` gives the reason."""


@plain_errors(NotEmptied)
class ContentsProvider(StoredInputs):
    """Stores the access to the bucket (endpoint and key pair) for the day of deletion.

    Another bucket is an update and not a replacement, which would empty the old one: Pulumi then replaces the bucket
    itself, and that plan shows the loss."""

    inputs = ("endpoint", "bucket", "accessKeyId", "secretAccessKey")
    id_input = "bucket"

    def delete(self, _id: str, props: Props) -> None:
        empty(
            endpoint=props["endpoint"],
            bucket=props["bucket"],
            access_key_id=props["accessKeyId"],
            secret_access_key=props["secretAccessKey"],
        )


def empty(*, endpoint: str, bucket: str, access_key_id: str, secret_access_key: str) -> int:
    """Delete every object and every unfinished multipart upload. Returns the number of objects deleted;
    a bucket that does not exist is empty. Raises NotEmptied, also when something keeps writing."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="auto",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        # R2 does not support flexible checksums on every call; path style because the endpoint may be an address.
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 6, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    deleted = 0
    try:
        for _ in range(PASSES_MAX):
            _abort_uploads(s3, bucket)
            page = s3.list_objects_v2(Bucket=bucket)
            if not page.get("KeyCount"):
                return deleted
            while page.get("KeyCount"):
                keys = [{"Key": item["Key"]} for item in page["Contents"]]
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                if answer.get("Errors"):
                    first = answer["Errors"][0]
                    raise NotEmptied(f"cannot delete {first.get('Key')} from {bucket}: {first.get('Message')}")
                deleted += len(keys)
                page = s3.list_objects_v2(Bucket=bucket)
    except ClientError as problem:
        if _code(problem) == "NoSuchBucket":
            return deleted
        raise NotEmptied(f"cannot empty bucket {bucket}: {problem}") from None
    except BotoCoreError as problem:
        raise NotEmptied(f"cannot empty bucket {bucket} at {endpoint}: {problem}") from None
    raise NotEmptied(
        f"bucket {bucket} receives new objects while it is emptied. Stop what writes to it, then run again"
    )


def _abort_uploads(s3: Any, bucket: str) -> None:
    from botocore.exceptions import ClientError

    try:
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as problem:
        # R2 lists them. The local runtime's S3 does not, and deletes them with the bucket.
        if _code(problem) != "NotImplemented":
            raise


def _code(problem: Any) -> str:
    return str(problem.response.get("Error", {}).get("Code", ""))


class BucketContents(Resource, module="cloudflare", name="BucketContents"):
    """Declare after bucket and key; let what writes to the bucket depend on it, so that it stops first."""

    def __init__(
        self,
        resource_name: str,
        *,
        endpoint: pulumi.Input[str],
        bucket: pulumi.Input[str],
        access_key_id: pulumi.Input[str],
        secret_access_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "endpoint": endpoint,
            "bucket": bucket,
            "accessKeyId": access_key_id,
            "secretAccessKey": pulumi.Output.secret(secret_access_key),
        }
        super().__init__(ContentsProvider(), resource_name, props, opts)
