"""Golden values of LIME: the regression of lime 0.2.0.1's image explainer on given bits and scores.

Not called lime.py, which would hide the package of that name from this script and from its neighbours.
"""

import numpy as np
import sklearn.metrics
from common import write
from lime.lime_image import LimeImageExplainer
from sklearn.linear_model import Ridge

# Segments, rows, kernel width, ridge.
CASES = [
    (49, 300, 0.25, 1.0),
    (8, 128, 0.25, 1.0),
    (64, 40, 0.25, 1.0),
    (1, 130, 0.25, 1.0),
    (20, 200, 0.1, 0.01),
    (20, 200, 100.0, 1000.0),
    (12, 256, 0.5, 0.0),
]


def case(number, segments, rows, kernel_width, ridge):
    random = np.random.RandomState(number)
    bits = random.randint(0, 2, (rows, segments))
    bits[0] = 1
    bits[7] = 0
    # Additive, with interactions, an offset and noise.
    weights = random.normal(size=segments)
    scores = 0.7 + bits @ weights + bits[:, 0] * bits[:, -1] - np.sin(bits.sum(axis=1)) + random.normal(size=rows) / 4
    distances = sklearn.metrics.pairwise_distances(bits, bits[0].reshape(1, -1), metric="cosine").ravel()
    base = LimeImageExplainer(kernel_width=kernel_width, random_state=0).base
    intercept, found, r2, _ = base.explain_instance_with_data(
        bits,
        scores[:, None],
        distances,
        label=0,
        num_features=100000,
        feature_selection="auto",
        # lime's own where the penalty is 1.
        model_regressor=None if ridge == 1.0 else Ridge(alpha=ridge, fit_intercept=True),
    )
    return {
        "bits": ["".join(map(str, row)) for row in bits],
        "scores": scores.tolist(),
        "kernel_width": kernel_width,
        "ridge": ridge,
        "weights": [float(weight) for _, weight in sorted(found)],
        "intercept": float(intercept),
        "r2": float(r2),
    }


if __name__ == "__main__":
    cases = [case(number, *parameters) for number, parameters in enumerate(CASES)]
    write("lime", __file__, ["lime", "scikit-learn", "numpy"], cases=cases)
