"""What Cloudflare's answers mean: rights of the token, the script and its bindings, the bucket and its rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from scripts.splat_cli.doctor.finding import Action, Finding, Verdict, verdict


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A right that the token lacks. right: as Cloudflare's console names it."""

    right: str
    evidence: str


def token_rights(name: str, refusals: tuple[Refusal, ...]) -> Verdict:
    return verdict(
        name,
        "Workers Scripts, Workers R2 Storage, Account API Tokens",
        [
            Finding(
                id="cloudflare-token",
                what=f"The Cloudflare token lacks {refusal.right}.",
                evidence=refusal.evidence,
                fix=f"create a token with {refusal.right}, then splat pulumi config set --secret cloudflare:apiToken",
            )
            for refusal in refusals
        ],
    )


def script(
    name: str,
    bindings: Mapping[str, str] | None,
    texts: Mapping[str, str],
    *,
    declared: Mapping[str, str | None],
    redo: str,
) -> Verdict:
    """bindings: name to type of the deployed script, None when it does not exist. texts: values of its plain_text
    bindings. declared: name to value of every binding that the stack recorded, None for one without a readable text."""
    if bindings is None:
        missing = Finding(
            id="script-missing",
            what="The Worker script does not exist.",
            evidence="Cloudflare answers 404",
            fix=f"{redo} deploys it again",
            action=Action.REDEPLOY,
        )
        return verdict(name, "", [missing])
    absent = sorted(declared.keys() - bindings.keys())
    findings = []
    if absent:
        findings.append(
            Finding(
                id="secrets-out-of-sync",
                what="The Worker lacks bindings.",
                evidence=", ".join(absent),
                fix=f"{redo} sets them again",
                action=Action.REDEPLOY,
            )
        )
    if added := sorted(bindings.keys() - declared.keys()):
        findings.append(
            Finding(
                id="script-unmanaged",
                what="The Worker has bindings that the stack does not declare.",
                evidence=", ".join(added),
                fix="delete them in Cloudflare's dashboard under Workers, Settings; the next upload deletes them too",
            )
        )
    for key, value in sorted(declared.items()):
        if value is not None and texts.get(key, value) != value:
            findings.append(
                Finding(
                    id="script-drift",
                    what=f"The Worker's {key} differs from the stack.",
                    evidence=f"{key} is {texts[key]}, declared is {value}",
                    fix=redo,
                    action=Action.REDEPLOY,
                )
            )
    return verdict(name, f"{len(bindings)} bindings, as declared", findings)


def bucket_key(name: str, *, token_ids: Collection[str], key_id: str, redo: str) -> Verdict:
    """Whether the key pair that the app signs with is still a token of the account."""
    if key_id in token_ids:
        return verdict(name, "the app's bucket key exists")
    revoked = Finding(
        id="secrets-out-of-sync",
        what="The bucket key of the app was revoked, so no upload and no job works.",
        evidence=f"token {key_id[:8]}… is not in the account",
        fix=f"{redo} creates another",
        action=Action.REDEPLOY,
    )
    return verdict(name, "", [revoked])


def cors(
    name: str, *, status: int, headers: Mapping[str, str], origin: str, wanted: Collection[str], redo: str
) -> Verdict:
    """The answer to the preflight of an upload from the app. wanted: the request headers that it names."""
    allowed_origin = headers.get("access-control-allow-origin", "")
    allowed = {one.strip().lower() for one in headers.get("access-control-allow-headers", "").split(",")}
    missing = sorted(one for one in wanted if one not in allowed and "*" not in allowed)
    if 200 <= status < 300 and allowed_origin in (origin, "*") and not missing:
        return verdict(name, f"uploads from {origin} allowed")
    lacks = f", without {', '.join(missing)}" if missing and 200 <= status < 300 else ""
    refused = Finding(
        id="bucket-cors",
        what="The bucket refuses uploads from the app's origin.",
        evidence=f"preflight from {origin}: {status}, allowed origin {allowed_origin or 'none'}{lacks}",
        fix=redo,
        action=Action.REDEPLOY,
    )
    return verdict(name, "", [refused])


def round_trip(name: str, *, put: int | None, got: int | None, same: bool, milliseconds: float, redo: str) -> Verdict:
    """put: status of an upload to an address that the app signed, None when the app signed none. got: status of reading
    it with the stack's own key. same: the bytes are equal."""
    if put is not None and 200 <= put < 300 and got is not None and 200 <= got < 300 and same:
        return verdict(name, f"PUT and GET in {milliseconds:.0f} ms")
    if put is None or not 200 <= put < 300:
        evidence = "the app signed no upload" if put is None else f"PUT to an address that the app signed: {put}"
    elif got is None or not 200 <= got < 300:
        evidence = f"GET with the stack's key: {got}"
    else:
        evidence = "GET returned other bytes than PUT stored"
    broken = Finding(
        id="bucket-round-trip",
        what="Presigned addresses of the bucket do not work.",
        evidence=evidence,
        fix=f"{redo}; if it persists, check the clock and raise photo-splat:bucketKeyGeneration by 1",
        action=Action.REDEPLOY,
    )
    return verdict(name, "", [broken])
