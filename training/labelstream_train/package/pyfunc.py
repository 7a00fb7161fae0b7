"""A package as MLflow's `python_function`: what `mlflow models predict` and `mlflow.pyfunc.load_model` load.

It ships beside the package with the few modules that it imports (`MODULES`), so that loading it needs numpy,
onnxruntime, tokenizers and pandas, but not this project.
"""

from pathlib import Path
from typing import Any

from .scorer import Scorer

MODULES = (
    "__init__.py", "atomic_file.py", "errors.py", "json_file.py", "package/__init__.py", "package/calibration.py",
    "package/pyfunc.py", "package/scorer.py", "statistics/__init__.py", "statistics/metrics.py",
)  # fmt: skip
"""All that importing this module needs, relative to `labelstream_train`."""


class Model:
    """Texts in, labels out; reads the column `text`, else the first one."""

    def __init__(self, folder: Path):
        self.scorer = Scorer(folder)

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A data frame with `label` (None if the package abstains; multi-label: `labels`, a list) and `score`."""
        import pandas

        probabilities = self.scorer.probabilities(_texts(model_input))
        answers = self.scorer.answers(probabilities)
        found = {"label": [label for label, _ in answers], "score": [score for _, score in answers]}
        if self.scorer.is_multi_label:
            given = self.scorer.given(probabilities)
            found["labels"] = [
                [label for label, is_given in zip(self.scorer.labels, row, strict=True) if is_given] for row in given
            ]
        return pandas.DataFrame(found)


def _load_pyfunc(path: str) -> Model:
    """What MLflow calls with the folder of the model."""
    return Model(Path(path))


def _texts(model_input: Any) -> list[str]:
    if hasattr(model_input, "columns"):
        columns = list(model_input.columns)
        model_input = model_input["text" if "text" in columns else columns[0]]
    return [str(text) for text in model_input]
