"""Measures what edits do to faces, against ground truth and with judges that took no part in training."""

from textedit_core.evaluation.report import format_report, validate
from textedit_core.evaluation.request import EvaluateRequest
from textedit_core.evaluation.run import evaluate, evaluate_with
from textedit_core.evaluation.sheet import write_sheet

__all__ = ["EvaluateRequest", "evaluate", "evaluate_with", "format_report", "validate", "write_sheet"]
