"""Editors: w_plus -> delta_w. (StyleCLIP calls an editor a mapper; "editor" is this project's word.)"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.layers import EqualizedLinear, pixel_norm, scaled_leaky_relu
from textedit_core.editor.config import EditorConfig
from textedit_core.errors import unknown_name
from textedit_core.latents import level_groups

# What `pixel_norm` adds to the mean square, against a division by zero.
_NORM_EPS = 1e-8
# Ahead of the squares: fp16 holds those of latents up to 255, and some decoders' reach 300. A power of two rounds nothing.
_LATENT_FACTOR = 1 / 32


class GroupEditor(nn.Module):
    """[B,l,I] -> [B,l,D]: an equalised layer in, residual layers, an equalised layer out, the same for each level of a group.

    The last layer starts at zero, so that training starts from the unedited face.
    """

    def __init__(self, in_dim: int, config: EditorConfig) -> None:
        super().__init__()
        self.enter = EqualizedLinear(in_dim, config.hidden_dim)
        self.blocks = nn.ModuleList(EqualizedLinear(config.hidden_dim, config.hidden_dim) for _ in range(config.num_blocks))
        self.leave = EqualizedLinear(config.hidden_dim, config.w_dim)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.after_enter(self.enter(x))

    def after_enter(self, entered: Tensor) -> Tensor:
        """The rest of the way from what the first layer made of the input, [B,l,H], to the answer [B,l,D]."""
        h = scaled_leaky_relu(entered)
        for block in self.blocks:
            h = h + scaled_leaky_relu(block(h))
        return self.leave(h)


class LatentEditor(nn.Module):
    """What every editor is: w_plus float [B,L,D] -> delta_w float [B,L,D], with networks for some level groups and zeros for the rest.

    Args:
        config: sizes.
        slices: the levels of each group, in the order of the levels.
        groups: the networks, each with a last layer `leave` to which its answer is proportional, for a positive factor.
    """

    def __init__(self, config: EditorConfig, slices: dict[str, slice], groups: dict[str, nn.Module]) -> None:
        super().__init__()
        self.num_ws, self.w_dim = config.num_ws, config.w_dim
        self.slices, self.groups = slices, nn.ModuleDict(groups)

    def move_only(self, names: Collection[str]) -> None:
        """Freezes every group but those named; a frozen group of an untrained editor returns zeros.

        Raises:
            UsageError: a name is no level group.
        """
        known = level_groups(self.num_ws)
        for name in names:
            if name not in known:
                raise unknown_name("level group", name, list(known), "the groups are")
        for name, group in self.groups.items():
            group.requires_grad_(name in names)

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiplies what the editor answers by `factor`, in place: only the last layers' numbers change."""
        for group in self.groups.values():
            for parameter in group.leave.parameters():
                parameter.mul_(factor)

    def _delta(self, x: Tensor) -> Tensor:
        parts = []
        for name, part in self.slices.items():
            levels = x[:, part]
            on = name in self.groups
            parts.append(self.groups[name](levels) if on else torch.zeros_like(levels[..., : self.w_dim]))
        return torch.cat(parts, dim=1)


def present_groups(config: EditorConfig) -> tuple[dict[str, slice], list[str]]:
    """The level groups that a network of this many levels has, and the names of those that are switched on."""
    slices = {name: part for name, part in level_groups(config.num_ws).items() if part.stop > part.start}
    switched_on = {"coarse": config.coarse, "medium": config.medium, "fine": config.fine}
    return slices, [name for name in slices if switched_on[name]]


class _GroupedEditor(LatentEditor):
    def __init__(self, in_dim: int, config: EditorConfig) -> None:
        slices, on = present_groups(config)
        super().__init__(config, slices, {name: GroupEditor(in_dim, config) for name in on})


class PromptEditor(_GroupedEditor):
    """One text's editor: w_plus float [B,L,D] -> delta_w float [B,L,D] (StyleCLIP, Patashnik et al. 2021, section 5).

    Coarse, medium and fine levels have a network each; a group that is switched off returns zeros for its levels.
    """

    def __init__(self, config: EditorConfig) -> None:
        super().__init__(config.w_dim, config)

    def forward(self, w_plus: Tensor) -> Tensor:
        return self._delta(_normed(w_plus))


class TextConditionedEditor(_GroupedEditor):
    """One editor for many texts: w_plus float [B,L,D] and a text vector float [B,E] -> delta_w float [B,L,D].

    The vector's direction says what to change: it is the way from a neutral to a target text's embedding. Its length is a factor on the
    answer, so that a prompt's calibration travels in the vector and the network stays one for all.
    """

    def __init__(self, config: EditorConfig, text_dim: int) -> None:
        super().__init__(config.w_dim + text_dim, config)
        self.config, self.text_dim = config, text_dim

    def forward(self, w_plus: Tensor, text_embedding: Tensor) -> Tensor:
        text = pixel_norm(text_embedding).unsqueeze(1).expand(-1, w_plus.shape[1], -1)
        length = text_embedding.square().sum(-1, keepdim=True).sqrt().unsqueeze(1)
        return self._delta(torch.cat([_normed(w_plus), text], dim=-1)) * length

    def first_weights(self, group: GroupEditor) -> tuple[Tensor, Tensor]:
        """A group's first layer as stored, in its two parts: [H,D] for the latent and [H,E] for the text."""
        return group.enter.weight[:, : self.w_dim], group.enter.weight[:, self.w_dim :]

    @torch.no_grad()
    def for_text(self, text_embedding: Tensor) -> PromptEditor:
        """The editor of one text vector, float [E]: an ordinary PromptEditor that gives exactly this one's answers for it.

        The first layer is linear, so what it makes of the text is a constant that joins its bias; the vector's length joins the last layer.
        """
        editor = PromptEditor(self.config)
        for name, group in editor.groups.items():
            own = self.groups[name]
            of_w, of_text = self.first_weights(own)
            # The equalised gain of the narrower layer is larger: the stored weight makes up for it.
            weight = of_w * (own.enter.weight_gain / group.enter.weight_gain)
            bias = own.enter.bias + of_text @ pixel_norm(text_embedding) * own.enter.weight_gain
            group.load_state_dict({**own.state_dict(), "enter.weight": weight, "enter.bias": bias})
        editor.scale(float(text_embedding.norm()))
        return editor.to(text_embedding.device).eval().requires_grad_(False)


class PackedTextEditor(nn.Module):
    """A TextConditionedEditor with one input, for runtimes whose networks have one: [B,L+R,D] -> delta_w float [B,L,D].

    The input is the L levels of w_plus and below them R rows with the text vector, as `with_text` stacks them. The answer is that of the
    editor, in a form that phones run well: the text passes the first layers once, not once per level, and is scaled ahead of its
    norm, since squares of a short vector's numbers would vanish in fp16.
    """

    def __init__(self, editor: TextConditionedEditor) -> None:
        super().__init__()
        self.editor = editor

    def forward(self, w_plus_text: Tensor) -> Tensor:
        num_ws = self.editor.num_ws
        direction, length = self._direction(w_plus_text[:, num_ws:])
        entered = self._text_entered(direction)
        levels = _normed(w_plus_text[:, :num_ws])
        parts = [self._group(name, levels[:, part], entered) for name, part in self.editor.slices.items()]
        return torch.cat(parts, dim=1) * length

    def _direction(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of packed text [B,R,D]: the vector at unit root mean square [B,1,E], and its length [B,1,1]."""
        count = self.editor.text_dim
        packed = rows.flatten(1).unsqueeze(1)
        # A slice that keeps everything would be one more operation on the phone.
        text = packed[..., :count] if packed.shape[-1] > count else packed
        scaled = text * math.sqrt(count)
        power = scaled.square().mean(-1, keepdim=True)
        return scaled * torch.rsqrt(power + count * _NORM_EPS), power.sqrt()

    def _text_entered(self, direction: Tensor) -> dict[str, Tensor]:
        """What each group's first layer makes of the text, with its bias, [B,1,H].

        One layer for all: XNNPACK would take several that share an input apart into several delegates.
        """
        groups = self.editor.groups
        weight = torch.cat([self.editor.first_weights(group)[1] * group.enter.weight_gain for group in groups.values()])
        bias = torch.cat([group.enter.bias * group.enter.bias_gain for group in groups.values()])
        entered = F.linear(direction, weight, bias)
        width = entered.shape[-1] // len(groups)
        return {name: entered[..., i * width : (i + 1) * width] for i, name in enumerate(groups)}

    def _group(self, name: str, levels: Tensor, entered: dict[str, Tensor]) -> Tensor:
        if name not in self.editor.groups:
            return torch.zeros_like(levels)
        group = self.editor.groups[name]
        of_w, _ = self.editor.first_weights(group)
        return group.after_enter(F.linear(levels, of_w * group.enter.weight_gain) + entered[name])


def _normed(w_plus: Tensor) -> Tensor:
    return pixel_norm(w_plus * _LATENT_FACTOR)


def text_rows(text_dim: int, w_dim: int) -> int:
    """R, the number of rows of D = `w_dim` numbers that hold a text vector of `text_dim` numbers."""
    return -(-text_dim // w_dim)


def pack_text(vector: Tensor, w_dim: int) -> Tensor:
    """A text vector float [E] as rows [R,D], filled row by row and up with zeros."""
    rows = text_rows(len(vector), w_dim)
    return F.pad(vector, (0, rows * w_dim - len(vector))).reshape(rows, w_dim)


def with_text(w_plus: Tensor, rows: Tensor) -> Tensor:
    """What a PackedTextEditor takes: w_plus float [B,L,D] with the packed text [R,D] below each, [B,L+R,D]."""
    return torch.cat([w_plus, rows.expand(len(w_plus), -1, -1)], dim=1)
