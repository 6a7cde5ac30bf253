"""The evaluation from request to report: reconstruction, every prompt and row, strength, and one photograph out of domain."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.evaluation.bootstrap import CONFIDENCE, RESAMPLES
from textedit_core.evaluation.ground_truth import Groups, load_groups, spread
from textedit_core.evaluation.measures import measure_reconstruction, summarise_plain
from textedit_core.evaluation.onnx_recogniser import open_recogniser
from textedit_core.evaluation.out_of_domain import LABEL, check_photograph
from textedit_core.evaluation.panel import Judges, Recogniser, show
from textedit_core.evaluation.pictures import CONTACT_FACES, SHEET_FACES, Pictures, save_contact_sheet
from textedit_core.evaluation.prompt_rows import PromptResult, evaluate_prompt
from textedit_core.evaluation.report import SCHEMA_VERSION, validate
from textedit_core.evaluation.request import EvaluateRequest
from textedit_core.evaluation.rows import opened_bundle
from textedit_core.evaluation.setting import Prepared, Setting, Tell, prepare
from textedit_core.evaluation.sheet import write_sheet
from textedit_core.evaluation.verdicts import VERDICTS
from textedit_core.face_networks import FaceNetworks

SHIPPED = "shipped"


def evaluate(request: EvaluateRequest) -> dict[str, Any]:
    """Evaluates a checkpoint, and bundles made from it, on counterfactual groups; writes the sheets that the request names.

    Returns:
        What report.schema.json describes.

    Raises:
        UsageError: a prompt that the checkpoint does not have.
        UserError: checkpoint, bundle, counterfactuals, judges, recogniser or photo are missing or damaged, a bundle is of another
            checkpoint, or there are too few groups.
    """
    from textedit_core.judges import open_judges
    from textedit_core.synthetic.counterfactual_set import CounterfactualSet

    report, pictures = evaluate_with(request, CounterfactualSet.open(request.counterfactuals), open_judges(request.judges))
    if request.html is not None:
        write_sheet(report, pictures, request.html)
    if request.contact_sheet is not None:
        save_contact_sheet(pictures.contact, request.contact_sheet)
    return report


def evaluate_with(request: EvaluateRequest, groups: Groups, judges: Judges) -> tuple[dict[str, Any], Pictures]:
    """As `evaluate`, with the groups and the judges given; writes nothing. The report has been checked against its schema."""
    started = time.perf_counter()
    checkpoint = open_checkpoint(request.checkpoint)
    prompts = _prompts(checkpoint, request.prompts)
    recogniser = None if request.recogniser is None else open_recogniser(request.recogniser)
    with _progress() as tell, contextlib.ExitStack() as stack:
        bundles = [stack.enter_context(opened_bundle(path, checkpoint.checkpoint_id)) for path in request.bundles]
        _check_bundles(bundles, prompts)
        setting = _setting(request, checkpoint, prompts, groups, judges, recogniser, tell)
        report, pictures = _measured(request, setting, prompts, bundles, tell)
    report["seconds"] = round(time.perf_counter() - started, 1)
    validate(report)
    return report, pictures


def _prompts(checkpoint: Checkpoint, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    if not checkpoint.prompts:
        raise UserError(f"checkpoint {str(checkpoint.directory)!r} has no prompts; train an editor first")
    return tuple(checkpoint.prompt(name).id for name in (checkpoint.prompts if wanted is None else dict.fromkeys(wanted)))


def _check_bundles(bundles: Sequence[FaceNetworks], prompts: tuple[str, ...]) -> None:
    names = [bundle.name for bundle in bundles]
    for bundle in bundles:
        if names.count(bundle.name) > 1:
            raise UserError(f"two bundles are {bundle.name}; give one of each target and precision")
        if not set(prompts) & set(bundle.prompts):
            raise UserError(f"bundle {bundle.name} has none of the prompts {', '.join(prompts)}; it has: {', '.join(bundle.prompts)}")


def _setting(
    request: EvaluateRequest,
    checkpoint: Checkpoint,
    prompts: tuple[str, ...],
    groups: Groups,
    judges: Judges,
    recogniser: Recogniser | None,
    tell: Tell,
) -> Setting:
    tell("counterfactual groups")
    known = [prompt for prompt in prompts if prompt in VERDICTS]
    truth = load_groups(groups, request.groups, known, checkpoint.config.pixel.size)
    # Groups that the bundles cover, so that the sheet has a picture of each in every row.
    covered = spread(len(truth), request.bundle_groups)
    sheet_groups = tuple(covered[index] for index in spread(len(covered), max(SHEET_FACES, CONTACT_FACES)))
    return Setting(checkpoint, judges, truth, show(judges, truth.sources, recogniser), sheet_groups, request.seed, recogniser)


def _measured(
    request: EvaluateRequest, setting: Setting, prompts: tuple[str, ...], bundles: Sequence[FaceNetworks], tell: Tell
) -> tuple[dict[str, Any], Pictures]:
    tell("reconstruction")
    main = prepare(setting, CheckpointNetworks(setting.checkpoint), range(len(setting.truth)))
    exported = [prepare(setting, bundle, spread(len(setting.truth), request.bundle_groups)) for bundle in bundles]
    results = {
        name: evaluate_prompt(setting, setting.checkpoint.prompts[name], main, exported, request.strength_groups, tell) for name in prompts
    }
    tell(LABEL)
    photograph, captioned = check_photograph(request, main.networks, prompts, setting.judges, setting.recogniser)
    pictures = _pictures(setting, main, exported, results)
    pictures.out_of_domain = captioned
    report = _head(request, setting, main)
    report["reconstruction"] = {each.networks.name: _reconstruction(setting, each) for each in (main, *exported)}
    report["prompts"] = {name: result.block for name, result in results.items()}
    report["out_of_domain"] = photograph
    return report, pictures


def _head(request: EvaluateRequest, setting: Setting, main: Prepared) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "checkpoint_id": main.networks.checkpoint_id,
        "data": {
            "source": SHIPPED if request.counterfactuals is None else request.counterfactuals.name,
            "groups": len(setting.truth),
            "people": len(set(setting.truth.identities.tolist())),
            "pixels": setting.size,
        },
        "intervals": {"method": "percentile bootstrap over groups", "resamples": RESAMPLES, "confidence": CONFIDENCE, "seed": setting.seed},
        "judges": setting.judges.card,
        "recogniser": None if setting.recogniser is None else setting.recogniser.card,
        "threads": torch.get_num_threads(),
    }


def _reconstruction(setting: Setting, prepared: Prepared) -> dict[str, Any]:
    numbers = measure_reconstruction(setting.judges, setting.photos, prepared.unedited, setting.truth.identities, prepared.chosen)
    return {"groups": len(prepared.chosen), **summarise_plain(numbers, setting.seed)}


def _pictures(setting: Setting, main: Prepared, exported: Sequence[Prepared], results: dict[str, PromptResult]) -> Pictures:
    groups = list(setting.sheet_groups)
    reconstructions = {
        each.networks.name: {group: each.unedited.images[list(each.chosen).index(group)] for group in groups} for each in (main, *exported)
    }
    contact = [setting.photos.images[groups], main.unedited.images[groups], *(result.edits[groups] for result in results.values())]
    photos = {group: setting.photos.images[group] for group in groups}
    return Pictures(photos, reconstructions, {name: result.pictures for name, result in results.items()}, contact)


@contextlib.contextmanager
def _progress() -> Iterator[Tell]:
    """Shows on the terminal what is being done; silent when the output is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening")
        yield lambda what: progress.update(task, description=what)
