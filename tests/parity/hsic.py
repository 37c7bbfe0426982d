"""HSIC by its definition, tr(K H L H) / p^2, with every matrix written out. No peer is asked: xplique 2.0.2 needs TensorFlow, and
by its code has p times these values, in float32, with the median of the scores for the width (arXiv 2206.06219).
"""

import numpy as np

from common import write

CELLS, MASKS = 9, 120


def hsic(shown, scores):
    p = len(scores)
    distances = np.abs(scores[:, None] - scores[None, :])
    different = np.sort(distances[np.triu_indices(p, 1)])
    different = different[different > 0]
    width = different[len(different) // 2]
    centring = np.eye(p) - np.ones((p, p)) / p
    outputs = np.exp(-(distances**2) / (2 * width**2))
    values = []
    for column in shown.T:
        inputs = (column[:, None] == column[None, :]).astype(float)
        values.append(np.trace(inputs @ centring @ outputs @ centring) / p**2)
    return width, values


def main():
    random = np.random.default_rng(11)
    shown = random.random((MASKS, CELLS)) < 0.5
    x = shown.astype(float)
    smooth = 2 * x[:, 0] - x[:, 1] + 3 * x[:, 2] * x[:, 3] + np.sin(4 * x[:, 4] + 2 * x[:, 5])
    # Scores that differ from row to row, and a step with many equals.
    cases = []
    for scores in [smooth + 0.1 * random.normal(size=MASKS), np.round(smooth), (smooth > 1).astype(float)]:
        width, values = hsic(shown, scores)
        cases.append({"scores": scores.tolist(), "width": float(width), "values": [float(v) for v in values]})
    bits = ["".join(str(int(bit)) for bit in row) for row in shown]
    write("hsic", __file__, ["numpy"], cells=CELLS, shown=bits, cases=cases)


if __name__ == "__main__":
    main()
