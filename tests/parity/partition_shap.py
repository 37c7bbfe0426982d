"""Owen values of shap's partition explainer, and the order in which it asks.

The model is a fixed polynomial of a picture's values; the explainer sees it through float32, as a detector's scores are.
"""

import numpy as np
import shap

from common import write

CASES = [(16, 12, 200), (16, 12, 600), (13, 17, 200), (4, 3, 4000)]


def picture(height, width, channels=3):
    """Multiples of 1/64 in [0, 1), no two neighbours alike."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return ((7 * y + 13 * x + 29 * c + 3 * x * y + 5 * x * c) % 64) / 64.0


def weights(height, width, a, b, d):
    y, x, c = np.ogrid[:height, :width, :3]
    return (((a * y + b * x + d * c + x * y) % 17) - 8) / 16.0


def model(pictures):
    """A polynomial of two weighted sums: additive terms, a square and a product. float32, two columns."""
    _, height, width, _ = pictures.shape
    first = (pictures * weights(height, width, 3, 5, 7)).sum(axis=(1, 2, 3))
    second = (pictures * weights(height, width, 11, 2, 3)).sum(axis=(1, 2, 3))
    value = first + second * second / 8 + first * second / 16
    return np.stack([np.zeros_like(value), value], axis=1).astype(np.float32).astype(np.float64)


def case(height, width, evaluations):
    image = picture(height, width)
    background = np.full(image.shape, 0.25)
    asked = []

    def recorded(pictures):
        scores = model(pictures)
        asked.extend(scores[:, 1].tolist())
        return scores

    masker = shap.maskers.Image(background, image.shape)
    explainer = shap.explainers.Partition(recorded, masker)
    answer = explainer(image[None], max_evals=evaluations, batch_size=50, outputs=[1], silent=True)
    values = answer.values[0, ..., 0]
    # The first questions are the background and the picture; later ones are in the order of the walk.
    return {"height": height, "width": width, "evaluations": evaluations, "values": values.ravel().tolist(),
            "asked": asked[-min(len(asked), 60):], "count": len(asked)}


def main():
    np.random.seed(0)
    write("partition_shap", __file__, ["shap", "numpy"], cases=[case(*c) for c in CASES])


if __name__ == "__main__":
    main()
