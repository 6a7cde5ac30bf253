"""Labels become targets and outputs become values: round trips, masks and what a mirror does."""

from __future__ import annotations

import torch

from textedit_core.judges.attribute_table import ATTRIBUTES, mirrored_targets, seen, targets_of
from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES

BY_NAME = {attribute.name: attribute for attribute in ATTRIBUTES}


def _label(**changes: float | str) -> dict[str, float | str]:
    label: dict[str, float | str] = {a.name: a.choices[0] if a.choices else 0.25 for a in ATTRIBUTES}
    return {**label, **changes}


def test_choices_keep_the_order_of_the_labels() -> None:
    assert BY_NAME["hair_color"].choices == HAIR_COLORS and BY_NAME["style"].choices == STYLES
    targets = targets_of([_label(hair_color=color) for color in HAIR_COLORS])
    assert targets["hair_color"].tolist() == [0, 1, 2, 3, 4, 5]


def test_values_are_read_back_from_the_outputs_that_fit_them() -> None:
    targets = targets_of([_label(age_years=70.0, yaw=-12.0, smile=0.75, style="cartoon")])
    age, yaw, smile, style = (BY_NAME[name] for name in ("age_years", "yaw", "smile", "style"))
    assert age.read((targets["age_years"] - age.center)[:, None] / age.scale).tolist() == [70.0]
    assert yaw.read((targets["yaw"] - yaw.center)[:, None] / yaw.scale).tolist() == [-12.0]
    torch.testing.assert_close(smile.read(torch.logit(targets["smile"])[:, None]), torch.tensor([0.75]))
    probabilities = style.read(torch.tensor([[0.0, 0.0, 20.0]]))
    assert probabilities.argmax(dim=1).tolist() == targets["style"].int().tolist() == [2]


def test_the_loss_is_least_at_the_truth() -> None:
    for attribute in ATTRIBUTES:
        target = targets_of([_label()])[attribute.name]
        grid = torch.linspace(-3.0, 3.0, 61)
        outputs = torch.zeros(61, attribute.outputs)
        outputs[:, 0] = grid
        best = attribute.read(outputs[attribute.loss(outputs, target.expand(61)).argmin()][None])
        if attribute.kind == "choice":
            assert best.argmax() == 0  # the first choice is true, so its output should be as large as can be
        else:
            # Grid steps of 0.1 are 0.1 scales of a quantity and at most 0.025 of a share.
            assert abs(float(best) - 0.25) <= (0.1 * attribute.scale if attribute.kind == "quantity" else 0.025)


def test_a_sketch_hides_colours_and_nothing_else() -> None:
    labels = [_label(style=style) for style in STYLES]
    for attribute in ATTRIBUTES:
        hidden = attribute.name in ("hair_color", "melanin")
        assert seen(attribute, labels).tolist() == [True, not hidden, True]


def test_a_mirror_turns_the_yaw_and_nothing_else() -> None:
    targets = targets_of([_label(yaw=10.0), _label(yaw=10.0)])
    mirrored = mirrored_targets(targets, torch.tensor([True, False]))
    assert mirrored.pop("yaw").tolist() == [-10.0, 10.0]
    assert all(torch.equal(values, targets[name]) for name, values in mirrored.items())
