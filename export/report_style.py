"""What report.html adds to the common look."""

from __future__ import annotations

STYLE = """
.row{display:grid;grid-template-columns:repeat(5,1fr);gap:10px;margin-bottom:14px}
.bar{display:inline-block;width:64px;height:6px;border-radius:3px;background:var(--line);margin-left:6px;overflow:hidden}
.bar span{display:block;height:100%;background:var(--accent)}
.curve{width:100%;max-width:480px;display:block}
.curve line{stroke:var(--line)}.curve .on{fill:var(--second)}.curve .off{fill:none;stroke:var(--accent)}
@media (max-width:640px){.row{grid-template-columns:repeat(3,1fr)}}
"""
