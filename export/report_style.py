"""The look of report.html, and what it says about the reach of each check."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--soft:#666b73;--paper:#fafaf8;--card:#fff;--line:#e4e3df;--accent:#2f6f5e}
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e6;--soft:#9aa0a8;--paper:#141517;--card:#1d1f22;--line:#303338;--accent:#74c2ab}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:48px 24px 96px}
h1{font-size:2.1rem;letter-spacing:-.02em;margin:0 0 24px}
h1 span{color:var(--accent);font-weight:400}
h2{font-size:1.25rem;letter-spacing:-.01em;margin:56px 0 8px}
p{color:var(--soft);margin:0 0 16px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:0}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:12px 16px}
dt{color:var(--soft);font-size:.8rem}
dd{margin:2px 0 0;font-weight:600}
.row{display:grid;grid-template-columns:repeat(5,1fr);gap:10px;margin-bottom:14px}
figure{margin:0}
img{width:100%;display:block;border-radius:10px;background:var(--line)}
figcaption{color:var(--soft);font-size:.78rem;margin-top:4px;text-align:center}
table{border-collapse:collapse;width:100%;font-size:.9rem;display:block;overflow-x:auto}
th,td{text-align:left;padding:8px 14px 8px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:500}
.bar{display:inline-block;width:64px;height:6px;border-radius:3px;background:var(--line);margin-left:6px;overflow:hidden}
.bar span{display:block;height:100%;background:var(--accent)}
li{margin-bottom:8px}
@media (max-width:640px){.row{grid-template-columns:repeat(3,1fr)}main{padding:28px 16px 64px}}
"""

_COMMON = (
    "<b>Pictures</b> come from the files in this bundle, run on the exporting machine, not from the training code.",
    "<b>Parity</b> is 20&nbsp;log<sub>10</sub>(range&nbsp;/&nbsp;RMSE) between a file and the fp32 network on held-out faces, where range "
    "is the largest minus the smallest value that the fp32 network gives. It proves that the lowering kept the function; it says nothing "
    "about how good the function is.",
    "<b>Hashes</b> in bundle.json prove that the files are the ones that were measured.",
    "<b>Golden vectors</b> let a device repeat the measurement on one face; run them after installing.",
    "<b>Not shown here:</b> speed, memory and energy. They need the phone.",
)

PROOFS: dict[str, tuple[str, ...]] = {
    "ios": (
        *_COMMON,
        "<b>Core ML off macOS:</b> parity was measured by evaluating the saved package operation by operation, rounding each fp16 "
        "result. That proves weights, layouts, shapes and range; what the Neural Engine rounds inside an operation, and which unit runs "
        "it, only a device shows.",
    ),
    "android": (
        *_COMMON,
        "<b>ExecuTorch:</b> parity was measured by the ExecuTorch runtime with XNNPACK on this machine's processor. Arm kernels differ in "
        "instruction set, not in the integer arithmetic. An operation outside XNNPACK would be listed above.",
    ),
    "onnx": (
        *_COMMON,
        "<b>ONNX Runtime:</b> parity was measured by ONNX Runtime on this machine's processor; other execution providers may fuse and "
        "round differently.",
    ),
}
