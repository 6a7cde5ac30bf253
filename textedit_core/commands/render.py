"""render, pack-assets: draw training faces and the counterfactual test set."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `render`."""
    parser.add_argument("--assets", type=Path, required=True, help="the asset tree or a packed copy of it (see docs/faces.md)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--count", type=int, help="training images to render, paired sketches and cartoons included")
    what.add_argument("--counterfactuals", type=int, metavar="GROUPS", help="render a test set: people with their exactly edited partners")
    what.add_argument("--partners", type=int, metavar="PEOPLE", help="render people with changed partners and exact motion")
    parser.add_argument("--out", type=Path, required=True, help="dataset folder; an interrupted render is resumed")
    parser.add_argument("--resolution", type=int, default=256, help="side in pixels (default: %(default)s)")
    parser.add_argument("--workers", type=int, help="processes (default: one per core)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views-per-identity", type=int, default=6, help="photos of each person (default: %(default)s)")
    parser.add_argument("--edits", help="with --counterfactuals: which partners, e.g. smile,child (default: those that ship)")
    small = "with --counterfactuals: also write 200 groups as JPEG, 9.8 MB at most"
    parser.add_argument("--small-copy", type=Path, metavar="DIR", help=small)
    parser.add_argument("--sheet", type=Path, help="with --count: also write a contact sheet of what was drawn")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.counterfactuals is not None:
        return _run_counterfactuals(options)
    if options.partners is not None:
        return _run_partners(options)
    from textedit_core.synthetic.dataset import contact_sheet, render_dataset

    render_dataset(
        options.assets,
        options.out,
        options.count,
        resolution=options.resolution,
        workers=options.workers,
        seed=options.seed,
        views_per_identity=options.views_per_identity,
    )
    if options.sheet is not None:
        contact_sheet(options.out, options.sheet)
    return 0


def _run_counterfactuals(options: argparse.Namespace) -> int:
    from textedit_core.synthetic.counterfactual_edits import SHIPPED_EDITS
    from textedit_core.synthetic.counterfactuals import render_counterfactuals

    edits = tuple(options.edits.split(",")) if options.edits else SHIPPED_EDITS
    render_counterfactuals(
        options.assets,
        options.out,
        options.counterfactuals,
        resolution=options.resolution,
        workers=options.workers,
        seed=options.seed,
        edits=edits,
    )
    if options.small_copy is not None:
        from textedit_core.synthetic.counterfactual_release import ship

        ship(options.out, options.small_copy)
    return 0


def _run_partners(options: argparse.Namespace) -> int:
    from textedit_core.synthetic.partners import render_partners

    render_partners(
        options.assets, options.out, options.partners, resolution=options.resolution, workers=options.workers, seed=options.seed
    )
    return 0


def add_pack(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of `pack-assets`."""
    parser.add_argument("--assets", type=Path, required=True, help="the asset tree (see docs/faces.md)")
    parser.add_argument("--out", type=Path, required=True, help="the file to write; render --assets reads it in place of the tree")
    parser.set_defaults(run=_run_pack)


def _run_pack(options: argparse.Namespace) -> int:
    from textedit_core.synthetic.asset_pack import pack_assets

    pack_assets(options.assets, options.out)
    return 0
