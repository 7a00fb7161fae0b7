"""Terms with a one-line explanation each: a page explains a term where it first occurs."""

from ..page import Terms

MEANINGS = {
    "accuracy": "of 100 texts, how many get the right label.",
    "exact match of the label set": "of 100 texts, how many get exactly their labels, none missing and none extra.",
    "95 % interval": "contains the true value in 95 of 100 tests like this one.",
    "baseline": "a simple model of word counts on the same texts; a model must beat it to be worth its cost.",
    "gate": "the rules that a package must pass before it may be registered.",
    "precision": "of the texts that get a label, the share that really has it.",
    "recall": "of the texts that have a label, the share that gets it.",
    "F1": "the harmonic mean of precision and recall: low if either is low.",
    "macro-F1": "the mean F1 of the labels; every label counts the same, however rare.",
    "micro-F1": "F1 over all predictions together; frequent labels count more.",
    "weighted F1": "the mean F1 of the labels, weighted by their numbers of texts.",
    "mean F1 of the texts": "F1 of each text's labels, averaged over the texts.",
    "mean average precision":
        "how well a label's own texts rank above others by its score; 100 % if all do. Needs no threshold.",
    "mean AUROC of the labels":
        "the chance that a text with a label gets a higher score for it than one without; 50 % is guessing.",
    "label-ranking loss": "of all pairs of a right and a wrong label of a text, the share scored in the wrong order.",
    "top-3 accuracy": "of 100 texts, how many have their label among the three highest scores.",
    "top-5 accuracy": "the same for five.",
    "top-10 accuracy": "the same for ten.",
    "calibration error (ECE)":
        "how far scores are from the accuracy: at 0, of the texts with a score of 80 %, 80 in 100 are right.",
    "calibration error, 15 bins of equal width": "how far scores are from the accuracy (ECE); 0 is best.",
    "calibration error, 15 bins of equal count": "the same, with as many texts in each bin.",
    "calibration error without the temperature": "the same, before the scores are divided by the temperature.",
    "negative log-likelihood (nats)": "mean negative log score of the true label; 0 is best.",
    "Brier score": "mean squared distance of the scores from the truth; 0 is best.",
    "log loss": "the mean negative log score of the true label, in nats; 0 is best, confident mistakes cost most.",
    "train loss":
        "the loss on the training texts; if it falls while held-out metrics do not improve, the model overfits.",
    "held out": "texts that training does not see; the epoch is chosen on them, and nothing on the test texts.",
    "epoch": "one pass over all training texts.",
    "temperature": "one number, fitted on held-out texts, that divides the logits before they become probabilities.",
    "abstaining": "giving no answer if the score is below a threshold, so that a person or another model decides.",
    "coverage": "the share of the texts that get an answer.",
    "margin": "the highest score minus the second highest.",
    "p, corrected":
        "the probability of such a difference by chance, corrected for the number of comparisons; below 0.05 the "
        "difference is significant.",
    "points": "percentage points: from 80 % to 78 % is a loss of 2 points.",
    "AUROC":
        "the chance that a text of one kind gets a higher score than one of the other; 0.5 is guessing, 1 is "
        "best.",
    "AUPR":
        "mean precision over all thresholds for finding one kind; the value of guessing is the share of that kind.",
    "wrongly accepted at 95 %":
        "the share of out-of-scope texts above a threshold that 95 in 100 in-scope texts reach.",
    "by":
        "the score that the threshold applies to: the best score, the entropy of the scores, the margin, or the "
        "energy (log of the sum of exponentials).",
    "flip": "two terms in the same sentence get different labels.",
    "shift": "how much the score changes because of the term alone.",
    "subgroup AUC, BPSN, BNSP":
        "AUROC of harmful against harmless sentences: among those with the term; in harmless ones with it against "
        "harmful ones without; in harmful ones with it against harmless ones without. 0.5 is guessing, 1 is best.",
    "p50, p99": "half of the texts, and 99 of 100, take at most this long.",
    "tokens": "pieces of words, as the model reads them.",
    "McNemar's test": "compares two models by the texts that only one of them gets right.",
    "fixed, broken": "texts that only the new package, or only the old one, gets right.",
}  # fmt: skip


def terms(*words: str) -> Terms:
    """These terms with their explanations."""
    return Terms([(word, MEANINGS[word]) for word in words])


def sentence(word: str) -> str:
    """The explanation of a term, as a sentence."""
    line = MEANINGS[word]
    return line[0].upper() + line[1:]
