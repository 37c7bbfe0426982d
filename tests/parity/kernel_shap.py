"""Golden values of Kernel SHAP: shap's KernelExplainer, and Shapley's definition where all sets fit."""

import itertools
import math
import warnings

import numpy as np
import shap
from common import write

# Segments for which every set is asked about.
EXACT = [2, 3, 6, 7, 8, 9]
# Segments and samples of shap's own random sets.
DRAWN = [(12, 300), (20, 400), (30, 200)]


def scores(sets, random):
    """A rough score of each set. Multiples of 1/1024, so that they pass through float32 unchanged."""
    segments = sets.shape[1]
    weights, pairs = random.normal(size=segments), random.normal(size=(segments, segments))
    smooth = sets @ weights + np.einsum("ni,ij,nj->n", sets, pairs, sets) / 4 + np.cos(3 * sets @ weights)
    return np.round(1024 * (0.7 + smooth)) / 1024


def brute_force(table, segments):
    """Shapley's definition: the mean over all orders of what a segment adds."""
    values = np.zeros(segments)
    for segment in range(segments):
        for size in range(segments):
            weight = math.factorial(size) * math.factorial(segments - size - 1) / math.factorial(segments)
            for others in itertools.combinations([i for i in range(segments) if i != segment], size):
                number = sum(1 << i for i in others)
                values[segment] += weight * (table[number | 1 << segment] - table[number])
    return values


def explain(model, segments, samples):
    explainer = shap.KernelExplainer(model, np.zeros((1, segments)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = explainer.shap_values(np.ones((1, segments)), nsamples=samples, l1_reg=False, silent=True)
    return explainer, np.asarray(values).reshape(-1)


def exact(segments):
    """Bit i of a set's number in the table is segment i."""
    numbers = np.arange(1 << segments)
    table = scores((numbers[:, None] >> np.arange(segments)) & 1, np.random.RandomState(segments))
    model = lambda sets: table[(np.asarray(sets).round().astype(int) << np.arange(segments)).sum(axis=1)]
    _, values = explain(model, segments, 1 << segments)
    return {
        "segments": segments,
        "table": table.tolist(),
        "shap": values.tolist(),
        "brute_force": brute_force(table, segments).tolist(),
    }


def drawn(segments, samples):
    """shap's own sets, weights and scores, for the solver alone."""
    np.random.seed(segments)
    model = lambda sets: scores(np.asarray(sets), np.random.RandomState(segments))
    explainer, values = explain(model, segments, samples)
    used = explainer.nsamplesAdded
    return {
        "sets": ["".join(str(int(bit)) for bit in row) for row in explainer.maskMatrix[:used]],
        "weights": explainer.kernelWeights[:used].tolist(),
        "scores": (explainer.ey[:used, 0] - explainer.fnull[0]).tolist(),
        "total": float(explainer.fx[0] - explainer.fnull[0]),
        "shap": values.tolist(),
    }


if __name__ == "__main__":
    write(
        "kernel_shap",
        __file__,
        ["shap", "numpy"],
        exact=[exact(segments) for segments in EXACT],
        drawn=[drawn(*parameters) for parameters in DRAWN],
    )
