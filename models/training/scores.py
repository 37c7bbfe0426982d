"""The few statistics that the trainer and the card need, in plain numpy."""

import numpy as np


def auc(negative, positive):
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting one half."""
    negative = np.sort(negative)
    below = np.searchsorted(negative, positive, "left")
    upto = np.searchsorted(negative, positive, "right")
    return float((below + upto).mean() / 2 / len(negative))


def softmax(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def reliability(probability, truth, bins=10):
    """Equal-width bins of a predicted probability: rows (low, high, count, mean predicted, share true), empty bins left out."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return [(b / bins, (b + 1) / bins, int((place == b).sum()), float(probability[place == b].mean()),
             float(truth[place == b].mean())) for b in range(bins) if (place == b).any()]


def calibration_error(rows):
    """Expected calibration error of reliability rows: mean gap between predicted and true, weighed by count."""
    count = sum(row[2] for row in rows)
    return sum(row[2] * abs(row[3] - row[4]) for row in rows) / count
