"""What is known of the worker image: reachable, built for the chosen cards, its login at RunPod in place."""

from __future__ import annotations

from collections.abc import Collection

from infra.image.labels import ImageLabels, IncompatibleImage, check_gpus, minimum_cuda
from scripts.splat_cli.doctor.finding import Action, Finding, Verdict, verdict


def reachable(name: str, reference: str, *, refused: str, silent: str) -> Verdict:
    """refused: the registry's refusal, "" without one. silent: why it gave no answer."""
    short = reference.partition("@sha256:")[0]
    if refused:
        missing = Finding(
            id="image-not-pulled",
            what="The registry does not give out the worker image.",
            evidence=refused,
            fix="push the image again, or set photo-splat:registryUsername and registryPassword to a login that may "
            "pull it",
        )
        return verdict(name, "", [missing])
    if silent:
        return Verdict(check=name, skipped=silent)
    return verdict(name, f"{short}@{reference.partition('@')[2][:15]}…")


def fits(name: str, labels: ImageLabels, gpus: tuple[str, ...], minimum: str | None) -> Verdict:
    """The image's CUDA version and architectures against the chosen cards. An image without labels is not judged."""
    problems: list[tuple[str, str]] = []
    for id_, check in (
        ("no-kernel-for-the-gpu", lambda: check_gpus(labels, gpus)),
        ("cuda-not-found", lambda: minimum_cuda(labels, minimum)),
    ):
        try:
            check()
        except IncompatibleImage as reason:
            problems.append((id_, str(reason)))
    findings = [
        Finding(
            id=id_,
            what="The worker image does not fit the configuration.",
            evidence=reason.partition(". ")[0],
            fix=f"{reason.partition('. ')[2] or 'change the key in the message'}, then splat up",
        )
        for id_, reason in problems
    ]
    if labels.for_cpu:
        detail = "for machines without a GPU"
    elif labels.cuda:
        detail = f"CUDA {labels.cuda}, architectures {' '.join(labels.architectures)}, for {', '.join(gpus)}"
    else:
        detail = "the image has no labels to compare"
    return verdict(name, detail, findings)


def credential(name: str, *, declared: bool, used: str | None, existing: Collection[str], redo: str) -> Verdict:
    """declared: the stack has a registry login. used: the credential of the live endpoint. existing: of the account."""
    if used is None and not declared:
        return verdict(name, "not needed: the image is public")
    if used is None:
        evidence, what = "the endpoint names no credential", "The endpoint does not use the registry login."
    elif used not in existing:
        evidence, what = f"credential {used} does not exist", "The registry credential of the endpoint was deleted."
    else:
        return verdict(name, f"credential {used}")
    return verdict(
        name,
        "",
        [
            Finding(
                id="registry-credential",
                what=what,
                evidence=evidence,
                fix=f"{redo} creates it again",
                action=Action.REDEPLOY,
            )
        ],
    )
