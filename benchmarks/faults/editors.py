"""Several processes change one bundle at once: each is refused or succeeds, and in the end no change is lost."""

from __future__ import annotations

import functools
import random
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults.case import Broken, Case, Fault, Outcome, require_one_line
from benchmarks.faults.ground import FIRST, PROMPTS, bundle_in, model_in
from benchmarks.faults.watched import run_watched
from export.bundle import open_bundle

AT_ONCE = 8
_BUSY = "is being written by"
_PAUSE_SECONDS = 0.2


def prepare(ground: Path) -> Case:
    """The bundle with one prompt, and the model with all that are added."""
    return cases_of(bundle_in(ground), model_in(ground), PROMPTS[1 : AT_ONCE + 1])


def cases_of(bundle: Path, model: Path, prompts: tuple[str, ...]) -> Case:
    """What adds all prompts to a copy of the bundle, each from a process of its own."""

    def case(rng: random.Random, folder: Path) -> Outcome:
        shared = Path(shutil.copytree(bundle, folder / bundle.name))
        waits = [rng.random() * _PAUSE_SECONDS for _ in prompts]
        add = functools.partial(_add, shared, model)
        with ThreadPoolExecutor(len(prompts)) as pool:
            refused = sum(pool.map(add, prompts, waits))
        with open_bundle(shared) as opened:
            found = {prompt.id for prompt in opened.manifest.prompts}
        if found != {FIRST, *prompts}:
            raise Broken(f"lost: {', '.join(sorted({FIRST, *prompts} - found))}")
        if {path.name for path in folder.iterdir()} != {bundle.name}:
            raise Broken("something was left beside the bundle")
        return Outcome("every change is there, others were refused meanwhile" if refused else "every change is there, by chance in turn")

    return case


def _add(bundle: Path, model: Path, prompt: str, wait: float) -> int:
    """Adds a prompt, again and again as the message says; returns how often it was refused."""
    refused = 0
    while True:
        time.sleep(wait)
        ended = run_watched("export", ["add-prompt", str(bundle), "--prompt", prompt, "--checkpoint", str(model)])
        if ended is None or ended.status == 0:
            return refused
        require_one_line(ended.errors)
        if _BUSY not in ended.errors:
            raise Broken(f"refused for another reason: {ended.errors}")
        refused += 1
        time.sleep(_PAUSE_SECONDS)


FAULT = Fault("editors", f"{AT_ONCE} processes add a prompt each to one bundle at once, and none is lost", prepare)
