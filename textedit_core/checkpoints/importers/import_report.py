"""What an import did, in words and as JSON: every key of every file, used, ignored with a reason, or missing with what stands in."""

from __future__ import annotations

from typing import Any

from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.config import to_dict

# The words name this many keys of a group; the JSON names all.
_SHOWN = 3
_SETTINGS = ("kind", "img_resolution", "image_size", "num_ws", "w_dim", "embed_dim", "open_clip", "z_dim")


def describe(imported: Imported) -> str:
    """Several lines about one imported network and its companions; keys that share a reason share a line."""
    lines = [f"{imported.kind}: {imported.format}{_settings(imported)}"]
    lines += [f"  {note}" for note in imported.notes]
    lines.append(f"  used: {_named(list(imported.report.used))}")
    for title, reasons in (("ignored", imported.report.ignored), ("missing", imported.report.missing)):
        for reason in dict.fromkeys(reasons.values()):
            lines.append(f"  {title}: {_named([key for key, why in reasons.items() if why == reason])}: {reason}")
    lines += [f"  with it: {part.kind}{_settings(part)}" for part in imported.companions]
    if imported.w_avg is not None:
        lines.append(f"  with it: the average latent {list(imported.w_avg.shape)}")
    return "\n".join(lines)


def as_json(imported: Imported) -> dict[str, Any]:
    """The whole account of one network, without its companions, as plain JSON types."""
    report = imported.report
    return {
        "format": imported.format,
        "used": list(report.used),
        "ignored": report.ignored,
        "missing": report.missing,
        "notes": list(imported.notes),
    }


def _settings(imported: Imported) -> str:
    if imported.config is None:
        return ""
    values = to_dict(imported.config)
    shown = [name for name in _SETTINGS if values.get(name)]
    words = [f"{name} {values[name]}" for name in shown]
    if imported.kind == "decoder":
        words.append(f"num_ws {imported.config.num_ws}")
    return f" ({', '.join(words)})" if words else ""


def _named(keys: list[str]) -> str:
    listed = ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
    return f"{len(keys)} key{'' if len(keys) == 1 else 's'} ({listed})" if keys else "no keys"
