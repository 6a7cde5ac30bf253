"""What report.html adds to the common look, and what it says about the reach of each check."""

from __future__ import annotations

STYLE = """
.row{display:grid;grid-template-columns:repeat(5,1fr);gap:10px;margin-bottom:14px}
.bar{display:inline-block;width:64px;height:6px;border-radius:3px;background:var(--line);margin-left:6px;overflow:hidden}
.bar span{display:block;height:100%;background:var(--accent)}
.curve{width:100%;max-width:480px;display:block}
.curve line{stroke:var(--line)}.curve .on{fill:var(--second)}.curve .off{fill:none;stroke:var(--accent)}
@media (max-width:640px){.row{grid-template-columns:repeat(3,1fr)}}
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
