"""Words of the field, one line each: a page explains a word where it first stands, so that nobody has to look it up."""

from ..page import Terms

MEANINGS = {
    "accuracy": "of 100 texts, how many get the right label.",
    "whole label set right": "of 100 texts, how many get exactly their labels, none missing and none too many.",
    "95 % interval": "made so that it holds the true value in 95 of 100 tests like this one.",
    "baseline": "what counting words reaches on the same texts; a model that is not better has learnt nothing more.",
    "gate": "the rules that a package must meet before it may be registered.",
    "precision": "of the texts that get a label, the share that has it.",
    "recall": "of the texts that have a label, the share that gets it.",
    "F1": "one figure of both, precision and recall: low where either is low.",
    "macro-F1": "the mean of the labels' F1; each label counts alike, however rare.",
    "micro-F1": "F1 of all answers together; frequent labels count more.",
    "weighted F1": "the mean of the labels' F1, each weighted by its texts.",
    "mean F1 of the texts": "F1 of each text's labels, then the mean over the texts.",
    "mean average precision":
        "whether a label's own texts get its highest scores; 100 % when they do, at any threshold.",
    "mean AUROC of the labels":
        "the chance that a text with a label gets a higher score for it than one without; 50 % is guessing.",
    "label-ranking loss": "of all pairs of a right and a wrong label of a text, the share scored in the wrong order.",
    "top-3 accuracy": "of 100 texts, how many have their label among the three highest scores.",
    "top-5 accuracy": "the same for five.",
    "top-10 accuracy": "the same for ten.",
    "calibration error (ECE)":
        "how far scores are from the share that is right: at 0, of texts with a score of 80 %, 80 in 100 are "
        "right.",
    "calibration error, 15 bins of equal width": "how far scores are from the share that is right (ECE); 0 is best.",
    "calibration error, 15 bins of equal count": "the same, with as many texts in each bin.",
    "calibration error without the temperature": "the same, before scores are corrected by one number.",
    "negative log-likelihood (nats)": "how little score the true label gets; 0 is best, sure and wrong costs most.",
    "Brier score": "squared distance of the scores from the truth; 0 is best.",
    "log loss": "how little score the true label gets, in nats; 0 is best, sure and wrong costs most.",
    "train loss":
        "what training makes small, on its own texts; where it falls while held-out figures do not get better, "
        "the model learns its texts by heart.",
    "held out": "texts kept from training, by which the epoch was chosen; the test texts chose nothing.",
    "epoch": "one pass over all texts to learn from.",
    "temperature": "one number, fitted on held-out texts, that all scores are divided by before they become shares.",
    "abstaining": "giving no answer where the score is below a threshold, for a person or another model to decide.",
    "coverage": "the share of the texts that get an answer.",
    "margin": "the highest score minus the second highest.",
    "p, corrected":
        "the chance of such a difference where there is none, raised for the number of comparisons; below 0.05 it "
        "counts as real.",
    "points": "percentage points: from 80 % to 78 % are 2 points.",
    "AUROC":
        "the chance that a text of one kind gets a higher score than one of the other; 0.5 is guessing, 1 is "
        "best.",
    "AUPR":
        "mean precision over all thresholds for finding one kind; what guessing reaches depends on how many there "
        "are.",
    "wrongly accepted at 95 %":
        "the share of texts out of scope that pass a threshold which 95 in 100 texts in scope pass.",
    "by":
        "what is held against the threshold: the best score, how spread the scores are (entropy), the margin, or "
        "the sum of all exponentials (energy).",
    "flip": "two terms in the same sentence get different labels.",
    "shift": "how far the score moves because of the term alone.",
    "subgroup AUC, BPSN, BNSP":
        "how well harm is told from its absence: in sentences with the term; in harmless ones with it against "
        "harmful ones without; in harmful ones with it against harmless ones without. 0.5 is guessing, 1 is best.",
    "p50, p99": "half of the texts, and 99 of 100, take no longer than this.",
    "tokens": "pieces of words, as the model reads them.",
    "McNemar's test": "compares two models by those texts only that one has right and the other wrong.",
    "fixed, broken": "right only by the new package; right only by the old one.",
}  # fmt: skip


def terms(*words: str) -> Terms:
    """These words with their lines."""
    return Terms([(word, MEANINGS[word]) for word in words])


def sentence(word: str) -> str:
    """Its line, as a sentence."""
    line = MEANINGS[word]
    return line[0].upper() + line[1:]
