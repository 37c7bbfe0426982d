"""The metrics, against Quantus and scikit-learn; where neither has one, against its definition written again in numpy.

Each row of the golden file says which of the three its value comes from. Runs in an environment of its own
(requirements-metrics.txt). Quantus wraps models of torch and TensorFlow only; the model here is a formula that both
sides compute, so that its wrapper is stepped over.
"""

import warnings

import numpy as np
import quantus
from quantus.functions.perturb_func import noisy_linear_imputation
from quantus.helpers import utils
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import average_precision_score, roc_auc_score

from common import write

CLASSES, TARGET = 3, 1
PIXEL, VALUE = 2**-8, 2**-20  # Pictures and maps are whole numbers of these, which float32 holds without loss.
FADED = 2**-20  # A map's values may be as small as a share of the score for each of many pixels.


def logits(pictures):
    """A linear part in every channel of every pixel, and a hyperbolic tangent of the next class's."""
    flat = pictures.reshape(len(pictures), -1)
    at = np.arange(1, flat.shape[1] + 1)
    linear = np.stack([flat @ np.sin(0.7 * (c + 1) * at + c) for c in range(CLASSES)], axis=1) * 0.3
    return linear + np.tanh(np.roll(linear, -1, axis=1))


def probabilities(pictures):
    z = np.exp(logits(pictures))
    return z / z.sum(axis=1, keepdims=True)


class Model:
    """What Quantus asks of a model, in its own words."""

    def __init__(self, scale):
        self.scale = scale

    def shape_input(self, x, shape, channel_first, batched):
        return x.reshape(len(x), *shape[1:])

    def predict(self, pictures):
        p = probabilities(pictures)
        return p if self.scale == "probability" else np.log(p / (1 - p))


utils.get_wrapped_model = lambda model, **_: model


class Case:
    """A picture, its fill, a mask, a map, and maps of other pictures."""

    def __init__(self, name, seed, height, width, scale, values, by=1):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:height, :width]
        self.name, self.height, self.width, self.scale = name, height, width, scale
        self.image = rng.integers(0, 257, (3, height, width)) / 256
        self.fill = np.stack([(x + 2 * y + 5 * c) % 64 / 256 + 0.25 for c in range(3)])
        self.mask = (y - height / 2) ** 2 + 1.5 * (x - width / 3) ** 2 < (height / 3.5) ** 2
        self.value, whole = VALUE * by, values(rng, self.mask)
        others = [whole + rng.integers(-2**12, 2**12, whole.shape) / 2**16 for _ in range(3)]
        self.map, self.others = whole * by, [other * by for other in others]
        self.model = Model(scale)

    def score(self, pictures):
        return self.model.predict(np.asarray(pictures))[:, TARGET]

    def quantus(self, metric, values=None, image=None, mask=None, target=TARGET, **arguments):
        """What a metric of Quantus says of this case, or of another map, picture, mask or class in it."""
        values, image, mask = (own if other is None else other for own, other in
                               [(self.map, values), (self.image, image), (self.mask, mask)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scores = metric(self.model, image[None].copy(), np.array([target]),
                            values.reshape(1, -1, *mask.shape).copy(), mask[None, None].astype(int),
                            channel_first=True, **arguments)
        return scores if isinstance(scores, dict) else scores[0]

    def golden(self):
        units = lambda values, unit: (values / unit).astype(int).ravel().tolist()
        return {"name": self.name, "height": self.height, "width": self.width, "scale": self.scale,
                "image": units(self.image, PIXEL), "fill": units(self.fill, PIXEL),
                "value": self.value, "map": units(self.map, self.value),
                "others": [units(other, self.value) for other in self.others],
                "mask": "".join(str(int(m)) for m in self.mask.ravel())}


def signed(rng, mask):
    """Its highest pixel lies two rows and two columns beside the mask."""
    values = np.round((rng.normal(size=mask.shape) + mask) / VALUE) * VALUE
    beside = np.flatnonzero(distance_transform_edt(~mask) == np.sqrt(8))[0]
    values.ravel()[beside] = values.max() + 0.5
    return values


def positive(rng, mask):
    return np.round((rng.random(mask.shape) ** 2 + 0.3 * mask) / VALUE + 1) * VALUE


def tied(rng, mask):
    return rng.integers(-2, 3, mask.shape) + 1.0 * mask


# With these seeds no decision of ROAD hangs by less than 0.3 in logits: noise of 0.01 does not change it.
SIGNED = Case("signed", 34, 12, 16, "log-odds", signed)
POSITIVE = Case("positive", 2, 24, 16, "probability", positive)
FAINT = Case("faint", 5, 12, 16, "log-odds", signed, by=FADED)
TIED = Case("tied", 3, 12, 16, "probability", tied)


def row(case, peer, value, metric, figure=None, **parameters):
    return {"case": case.name, "peer": peer, "metric": metric, "parameters": parameters, "figure": figure or metric,
            "value": round(float(value), 10)}  # What another processor's sums do not change.


def replaced(by):
    """Quantus' way to hide: values at their places in the flattened picture."""
    def replace(arr, indices, **_):
        arr = arr.copy()
        arr[:, indices[0]] = by.ravel()[indices[0]]
        return arr
    return replace


def flipped(case, step, image, by):
    """Scores of `image` while its highest pixels become those of `by`. Quantus ranks the values of three channels one
    by one; a pixel's three are equal, so that a step of three times the size takes whole pixels."""
    metric = quantus.PixelFlipping(features_in_step=3 * step, normalise=False, perturb_func=replaced(by),
                                   disable_warnings=True)
    return np.array([case.score([image])[0], *case.quantus(metric, image=image)])


def removal(case):
    mean_height = lambda s: (s.sum() - (s[0] + s[-1]) / 2) / (len(s) - 1)  # As the authors of RISE have it.
    for step in [4, 16]:
        yield row(case, "quantus", mean_height(flipped(case, step, case.image, case.fill)), "deletion", step=step)
        yield row(case, "quantus", mean_height(flipped(case, step, case.fill, case.image)), "insertion", step=step)
    for patch, regions in [(4, 5), (4, 1000)] + [(8, 3)] * (case.height % 8 == 0):
        metric = quantus.RegionPerturbation(patch, regions_evaluation=regions, normalise=False, disable_warnings=True,
                                            perturb_func=replaced(case.fill))
        fallen = case.quantus(metric)
        yield row(case, "quantus", fallen.sum() / (len(fallen) + 1), "pixel_flipping", patch=patch, regions=regions)


def order(case):
    """Pixels from the highest to the lowest."""
    return np.argsort(-case.map.ravel(), kind="stable")


def without(case, top, shown=False):
    """The picture with its `top` highest pixels hidden, or with only these."""
    picture, fill = (case.fill, case.image) if shown else (case.image, case.fill)
    picture = picture.copy().reshape(3, -1)
    picture[:, order(case)[:top]] = fill.reshape(3, -1)[:, order(case)[:top]]
    return picture.reshape(case.image.shape)


def written_again(case):
    """Definitions that no library here has."""
    tops = [*range(0, case.map.size, 50), case.map.size]
    for name, shown in [("deletion", False), ("insertion", True)]:
        scores = case.score([without(case, top, shown) for top in tops])
        yield row(case, "numpy", np.trapezoid(scores, np.array(tops) / case.map.size), name, step=50)
    whole, shares = case.score([case.image])[0], [0.01, 0.05, 0.1, 0.2, 0.5]
    for name, shown in [("comprehensiveness", False), ("sufficiency", True)]:
        tops = [max(1, round(share * case.map.size)) for share in shares]
        yield row(case, "numpy", np.mean(whole - case.score([without(case, top, shown) for top in tops])), name)
    yield from odd_patches(case, 5)
    yield from blended(case)
    yield from contrasted(case)


def odd_patches(case, side):
    """Patches that do not divide the frame: smaller ones at the right and lower edge."""
    rows, columns = np.indices(case.map.shape) // side
    patch = rows * (columns.max() + 1) + columns
    sums = np.array([case.map[patch == number].sum() for number in range(patch.max() + 1)])
    taken = [np.argsort(-sums)[:count] for count in range(len(sums) + 1)]
    scores = case.score([np.where(np.isin(patch, those), case.fill, case.image) for those in taken])
    yield row(case, "numpy", np.mean(scores[0] - scores), "pixel_flipping", patch=side, regions=1000)


def blended(case):
    """Average drop, increase and gain."""
    part = (case.map - case.map.min()) / np.ptp(case.map)
    before = probabilities(case.image[None])[0, TARGET]
    for kept in [100, 50, 15]:
        mask = np.zeros(case.map.size)
        top = order(case)[:-(-kept * case.map.size // 100)]
        mask[top] = part.ravel()[top]
        mask = mask.reshape(case.map.shape)
        after = probabilities((case.image * mask + case.fill * (1 - mask))[None])[0, TARGET]
        yield row(case, "numpy", max(0, before - after) / before, "average_drop", f"average_drop_{kept}")
        yield row(case, "numpy", after > before, "average_drop", f"average_increase_{kept}")
        yield row(case, "numpy", max(0, after - before) / (1 - before), "average_drop", f"average_gain_{kept}")


def contrasted(case):
    """RFxG's scores of a class against a class or group, of a group, of two groups: as a contrast and as coded."""
    tops = [tenth * case.map.size // 10 for tenth in range(1, 10)]
    left = probabilities(np.array([without(case, top) for top in tops]))
    change = left - probabilities(case.image[None])
    mean = lambda of, classes: of[:, classes].mean(axis=1)

    def scored(score, pro, contra, curve, coded=False):
        area = np.trapezoid(curve, np.arange(1, 10) / 10)
        return row(case, "numpy", area, "rfxg", score, score=score, as_coded=coded, pro=pro, contra=contra)

    yield scored("ccs", [1], [0], left[:, 1] - left[:, 0])
    yield scored("pgs", [1, 2], [0], -mean(change, [1, 2]))
    for coded, sign in [(False, -1), (True, 1)]:
        yield scored("cgc", [1], [0, 2], (mean(change, [0, 2]) + sign * change[:, 1]) / 2, coded)
        yield scored("cgs", [1, 2], [0], (change[:, 0] + sign * mean(change, [1, 2])) / 2, coded)


def interpolated(arr, indices, **_):
    """Quantus' imputation of whole pixels, without its noise."""
    return noisy_linear_imputation(arr, np.unique(indices % arr[0].size), noise=0.0)


def road(case):
    """Quantus has the imputation of a map of one plane go out of bounds, and so gets the map three times. Its shares
    are those that come to whole pixels."""
    removed = np.array([round(share * case.map.size) for share in [0.1, 0.3, 0.5, 0.7]])
    filled = lambda arr, indices, **_: replaced(case.fill)(arr.reshape(1, -1), indices[None]).reshape(arr.shape)
    decided = probabilities(case.image[None]).argmax()
    for impute, hide in [(False, filled), (True, interpolated)]:
        metric = quantus.ROAD(percentages=100 * (removed + 0.1) / case.map.size, perturb_func=hide, normalise=False,
                              disable_warnings=True)
        kept = lambda values: case.quantus(metric, np.stack([values] * 3), target=decided)
        # Quantus sums up over pictures; the area is over the shares, 1 at the begin and 0 at the end.
        area = lambda kept: np.trapezoid([1, *kept, 0], [0, 0.1, 0.3, 0.5, 0.7, 1])
        upside_down = case.map.max() - case.map
        most, least = (area(np.ravel(list(kept(values).values()))) for values in [case.map, upside_down])
        for figure, value in [("road_morf", most), ("road_lerf", least), ("road", (least - most) / 2)]:
            yield row(case, "quantus", value, "road", figure, impute=impute)


def imputed(case):
    """Pixels where the highest tenth was."""
    top = order(case)[:case.map.size // 10]
    values = np.round(interpolated(case.image.copy(), top), 9)
    return {"case": case.name, "removed": len(top), "values": values.ravel().tolist()}


def places(case):
    free = {"normalise": False, "disable_warnings": True}
    pixels, area = case.map.size, case.mask.sum()
    for tolerance in [0, 2, 3]:
        near = distance_transform_edt(~case.mask) <= tolerance
        hit = case.quantus(quantus.PointingGame(**free), mask=near)
        yield row(case, "quantus", hit, "pointing_game", tolerance=tolerance)
    above = np.maximum(case.map, 0)
    yield row(case, "quantus", case.quantus(quantus.RelevanceMassAccuracy(**free), above), "relevance_mass")
    localised = quantus.AttributionLocalisation(disable_warnings=True)  # Of a faint map, its 1e-9 would be seen.
    yield row(case, "quantus", case.quantus(localised, above), "relevance_mass")
    above = case.map - case.map.min()
    mass = case.quantus(quantus.RelevanceMassAccuracy(**free), above)
    yield row(case, "quantus", mass, "relevance_mass", reading="importance")
    yield row(case, "quantus", case.quantus(quantus.RelevanceRankAccuracy(**free)), "relevance_rank")
    for share in [0, 0.05, 0.25]:
        top = round(share * pixels) if share > 0 else area
        shared = case.quantus(quantus.TopKIntersection(k=top, **free)) * top
        yield row(case, "quantus", shared / (top + area - shared), "iou", share=share)


def rankings(case):
    free = {"normalise": False, "disable_warnings": True}
    mask, values = case.mask.ravel(), case.map.ravel()
    yield row(case, "scikit-learn", roc_auc_score(mask, values), "auroc")
    yield row(case, "quantus", case.quantus(quantus.AUC(**free)), "auroc")
    yield row(case, "scikit-learn", average_precision_score(mask, values), "average_precision")


def shapes(case):
    """These normalise and take absolute values by their definition."""
    for reading, values in [("evidence", case.map), ("importance", case.map - case.map.min())]:
        of = lambda metric: case.quantus(metric, values)
        yield row(case, "quantus", of(quantus.Sparseness(disable_warnings=True)), "sparseness", reading=reading)
        yield row(case, "quantus", of(quantus.Complexity(disable_warnings=True)), "entropy", reading=reading)
        for eps in [1e-5, 0.2]:
            value = of(quantus.EffectiveComplexity(eps=eps, disable_warnings=True))
            yield row(case, "quantus", value, "effective_complexity", threshold=eps, reading=reading)


def robustness(case):
    """Quantus gets the explanations of the changed pictures one after the other, whatever the change was."""
    for figure, peer in [("max_sensitivity", quantus.MaxSensitivity), ("average_sensitivity", quantus.AvgSensitivity)]:
        given = iter(case.others)
        metric = peer(nr_samples=len(case.others), normalise=False, disable_warnings=True,
                      perturb_func=lambda arr, indices, **_: arr + 0.1)
        value = case.quantus(metric, explain_func=lambda given=given, **_: next(given)[None, None])
        yield row(case, "quantus", value, "max_sensitivity", figure, draws=len(case.others))


def main():
    cases = [SIGNED, POSITIVE, FAINT, TIED]
    for case in [SIGNED, POSITIVE, FAINT]:
        assert len(np.unique(case.map)) == case.map.size, "peers differ in what they do with equals"
    asked = [removal, written_again, road, places, shapes, robustness]
    rows = [row for case in [SIGNED, POSITIVE] for of in asked for row in of(case)]
    rows += [row for of in [places, shapes, robustness] for row in of(FAINT)]
    rows += [row for case in cases for row in rankings(case)]
    write("metrics", __file__, ["quantus", "scikit-learn", "scikit-image", "scipy", "numpy"],
          pixel=PIXEL, cases=[case.golden() for case in cases], rows=rows, imputed=imputed(SIGNED))


if __name__ == "__main__":
    main()
