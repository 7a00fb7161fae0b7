"""A tier that trains nothing: its figures are a formula of its settings, so that a search has a known best.

With STUB_HANG=N in the environment, the N-th training of the process writes `hangs` beside the trials after its
second step and waits to be killed. STUB_STEPS collects "folder step" lines of all steps really done.
"""

import os
import time
from pathlib import Path

from labelstream_train.errors import UserError
from labelstream_train.run import Run

STEPS = 4
count = 0


def quality(run: Run) -> float:
    """Best at a learning rate of 0.004 and a dropout of 0.2."""
    fast = run.settings.fast
    if fast.label_smoothing > 0.5:
        raise UserError("train with so much label smoothing")
    return 0.9 - abs(fast.learning_rate - 0.004) * 50 - abs(fast.dropout - 0.2)


def train(run: Run) -> None:
    """Four steps, each better than the one before; goes on where a killed one stopped."""
    global count
    count += 1
    best = quality(run)
    run.train.mkdir(parents=True, exist_ok=True)
    done = run.train / "done"
    assert (run.data / "parts.json").is_file()
    for step in range(1 + (int(done.read_text()) if done.is_file() else 0), STEPS + 1):
        run.stop_if_over(f"at step {step}")
        if "STUB_STEPS" in os.environ:
            with Path(os.environ["STUB_STEPS"]).open("a") as file:
                file.write(f"{run.out.name} {step}\n")
        run.report(step, {"quality": best * step / STEPS, "nll": 2.0 - best * step / STEPS, "loss": 1.0 / step})
        done.write_text(str(step))
        if step == 2 and os.environ.get("STUB_HANG") == str(count):
            (run.out.parents[1] / "hangs").touch()
            time.sleep(600)
