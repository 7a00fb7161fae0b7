"""Makes what `bench-drift power` reads: labelled events of three public data sets, and the windows drawn from them.

    .tools/evidently/bin/python bench/drift/events.py FOLDER [--draws 200] [--datasets ../shared/datasets]

The labels come from a quick classifier (TF-IDF of words and pairs, logistic regression), trained on rows that are in no
window. For each data set NAME it writes

    NAME.events.jsonl    labelled events as labelstream publishes them, one a line, with the text
    NAME.windows.jsonl   one window a line: {"scenario", "draw", "reference": [event number], "rows": [event number]}

Every tool reads these files, so that all of them judge the same windows. Where windows are drawn, the reference is drawn
anew each time: with one fixed reference its own luck would be in every draw.
"""

import argparse
import gzip
import json
from datetime import datetime
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

LABELS_LISTED = 3  # labels with their scores in an event, as labelstream lists by default
SEED = 20261123


def rows_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def time_ms(row):
    moment = row.get("ts", "2026-01-05T00:00:00Z")
    return round(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp() * 1000)


def fitted(rows):
    """The classifier, trained on these rows."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = make_pipeline(vectors, LogisticRegression(C=20, max_iter=300))
    return model.fit([row["text"] for row in rows], [row["label"] for row in rows])


def labelled(model, rows, topic):
    """Events of these rows, in their order, and the share of right labels where the truth is known."""
    scores = model.predict_proba([row["text"] for row in rows])
    classes = model.classes_
    words = model[0].build_analyzer()
    known = {term for term in model[0].vocabulary_ if " " not in term}
    events, right = [], []
    for offset, (row, score) in enumerate(zip(rows, scores)):
        best = np.argsort(-score)[:LABELS_LISTED]
        own = [word for word in words(row["text"]) if " " not in word]
        entropy = float(-(score * np.log(np.maximum(score, 1e-300))).sum() / np.log(len(classes)))
        events.append({
            "text": row["text"],
            "label": classes[best[0]],
            "score": round(float(score[best[0]]), 6),
            "labels": [{"label": classes[i], "score": round(float(score[i]), 6)} for i in best],
            "model": {"name": topic, "version": "1", "digest": "sha256:" + "0" * 64},
            "signals": {
                "characters": len(row["text"]),
                "n_tokens": len(own) + 2,
                "truncated": False,
                "unknown_rate": round(sum(word not in known for word in own) / max(len(own), 1), 6),
                "entropy": round(min(max(entropy, 0.0), 1.0), 6),
                "margin": round(float(score[best[0]] - score[best[1]]), 6),
            },
            "source": {"topic": topic, "partition": 0, "offset": offset, "id": row["id"], "event_time_ms": time_ms(row)},
        })
        if row["label"] in set(classes):
            right.append(row["label"] == classes[best[0]])
    return events, float(np.mean(right)) if right else None


class Output:
    """The two files of one data set."""

    def __init__(self, folder, name, events):
        self.windows = []
        self.folder, self.name = folder, name
        with open(folder / f"{name}.events.jsonl", "w", encoding="utf-8") as file:
            for event in events:
                file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def window(self, scenario, draw, reference, rows):
        numbers = {"reference": [int(row) for row in reference], "rows": [int(row) for row in rows]}
        self.windows.append({"scenario": scenario, "draw": draw, **numbers})

    def close(self):
        with open(self.folder / f"{self.name}.windows.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(window) + "\n" for window in self.windows)
        print(f"{self.name}: {len(self.windows)} windows")


def clinc150(source, folder, draws, random):
    """In-scope queries with a share of out-of-scope ones, against 5,000 in scope."""
    model = fitted(rows_of(source / "clinc150/train.jsonl.gz"))
    inside = rows_of(source / "clinc150/val.jsonl.gz") + rows_of(source / "clinc150/test.jsonl.gz")
    outside = [row for part in ("train", "val", "test") for row in rows_of(source / f"clinc150/oos_{part}.jsonl.gz")]
    events, accuracy = labelled(model, inside + outside, "clinc150")
    print(f"clinc150: accuracy in scope {accuracy:.3f}")
    output = Output(folder, "clinc150", events)
    for size, shares in ((500, (0, 5, 10, 20)), (100, (0, 20)), (2000, (0, 5))):
        for share in shares:
            for draw in range(draws):
                order = random.permutation(len(inside))
                foreign = random.permutation(len(outside))[: size * share // 100] + len(inside)
                rows = np.concatenate([order[5000 : 5000 + size - len(foreign)], foreign])
                output.window(f"n = {size}, {share} % out of scope", draw, order[:5000], rows)
    output.close()


def over_time(name, rows, known, windows, output_folder, draws, random):
    """Windows of later time against the half of the known time that the classifier was not trained on."""
    order = random.permutation(len(known))
    train, held = [known[i] for i in order[::2]], [known[i] for i in order[1::2]]
    model = fitted(train)
    events, _ = labelled(model, held + rows, name)
    output = Output(output_folder, name, events)
    size = len(held) // 5
    for draw in range(draws):
        order = random.permutation(len(held))
        output.window(f"no change, n = {size}", draw, order[size:], order[:size])
    reference = range(len(held))
    for scenario, begin, end in windows:
        inside = [len(held) + i for i, row in enumerate(rows) if begin <= row["ts"] < end]
        _, accuracy = labelled(model, [rows[i - len(held)] for i in inside], name)
        print(f"{name}: {scenario}: {len(inside)} events, accuracy {accuracy:.3f}")
        output.window(scenario, 0, reference, inside)
    output.close()


def nvd_cve(source, folder, draws, random):
    rows = [row for row in rows_of(source / "nvd_cve/stream_to_2016.jsonl.gz") if row["label"]]
    known = [row for row in rows if row["ts"][:4] == "2008"]
    later = [row for row in rows if "2009" <= row["ts"] < "2017"]
    months = [(f"2009-{month:02}", f"2009-{month:02}", f"2009-{month + 1:02}") for month in range(1, 13)]
    years = [(f"{year}", f"{year}", f"{year + 1}") for year in range(2009, 2017)]
    over_time("nvd_cve", later, known, months + years, folder, draws, random)


def commits(source, folder, draws, random):
    rows = [row for row in rows_of(source / "commits_angular_cli/stream.jsonl.gz") if not row["bot"]]
    known = [row for row in rows if row["ts"] < "2018"]
    later = [row for row in rows if row["ts"] >= "2018"]
    halves = [(f"{year} {half}", f"{year}-{begin}", end) for year in range(2018, 2026)
              for half, begin, end in (("H1", "01", f"{year}-07"), ("H2", "07", f"{year + 1}"))]
    over_time("commits_angular_cli", later, known, halves, folder, draws, random)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--draws", type=int, default=200)
    arguments.add_argument("--datasets", type=Path, default=Path("../shared/datasets"))
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    for make in (clinc150, nvd_cve, commits):
        make(given.datasets, given.folder, given.draws, random)


if __name__ == "__main__":
    main()
