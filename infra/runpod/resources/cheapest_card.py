"""The card that `gpu: cheapest` means, as a Pulumi resource: chosen at each plan, stored in the state.
Creates nothing at RunPod; reads the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, ConfigureRequest, Resource

from infra.dynamic import Props, StoredInputs, plain_errors
from infra.image.labels import has_kernels
from infra.runpod import catalog, errors
from infra.runpod.cheapest import choose, offers, sentence
from infra.runpod.client import RunPodClient, client_from_config
from infra.runpod.job_model import recorded_model


@plain_errors(errors.RunPodError, errors.MissingKey)
class CheapestCardProvider(StoredInputs):
    """`architectures`: of the image. `others`: cards that follow the choice in `names`. usdPerJob: of a typical job,
    US dollars."""

    inputs = ("label", "architectures", "others", "card", "names", "usdPerJob")
    id_input = "label"
    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req.config)

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Choose by the live catalogue. The plan shows the sentence that explains the choice."""
        asked = {key: news.get(key) for key in ("label", "architectures", "others")}
        last = olds.get("card")
        try:
            gpus = catalog.read_catalog(self._client.list_gpus())
        except (errors.Unreachable, errors.OutcomeUnknown, errors.ServerError):
            # Without the catalogue a destroy, or a change that has nothing to do with cards, still works.
            if not last:
                raise
            return CheckResult({**asked, **_chosen(last, asked["others"], olds.get("usdPerJob"))}, [])
        architectures = tuple(str(one) for one in asked["architectures"] or ())
        try:
            found = offers(gpus, recorded_model(), fits=lambda card: has_kernels(architectures, card))
        except catalog.NotOffered as problem:
            return CheckResult(asked, [CheckFailure("names", f"photo-splat:gpu: {problem}")])
        choice = choose(found, last=last)
        print(sentence(choice, found))  # the engine shows a provider's stdout as this resource's diagnostics
        return CheckResult({**asked, **_chosen(choice.card, asked["others"], round(choice.usd_per_job, 6))}, [])


def _chosen(card: str, others: Sequence[str] | None, usd_per_job: float | None) -> Props:
    names = [card, *(one for one in others or () if one != card)]
    return {"card": card, "names": names, "usdPerJob": usd_per_job}


class CheapestCard(Resource, module="runpod", name="CheapestCard"):
    """`names` is what an endpoint takes: the cheapest card, then `others`."""

    names: pulumi.Output[Sequence[str]]

    def __init__(
        self,
        resource_name: str,
        *,
        architectures: Sequence[str],
        others: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        asked = {"label": resource_name, "architectures": list(architectures), "others": list(others)}
        super().__init__(
            CheapestCardProvider(), resource_name, {**asked, "card": None, "names": None, "usdPerJob": None}, opts
        )
