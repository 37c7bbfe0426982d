"""Paired differences of adversarial sufficiency between fills, from the rows of the paper's protocol (docs/protocol.md).

    python paired.py evaluation/rows.jsonl

Differences are within pictures, means over pictures, intervals those of 2 000 bootstrap resamples with a fixed seed.
"""

import json
import random
import sys

METHODS = ["lime", "partition_shap", "sobol", "rise"]
FILLS = ["adversarial_paper", "adversarial"]


def figures(row, name):
    for evaluated in row["answer"]["evaluated"]:
        if evaluated["name"] == name:
            return {f["name"]: f.get("value") for result in evaluated["results"] for f in result["figures"]}
    raise KeyError(name)


def cell(differences, draw=2000):
    rng = random.Random(1)
    count = len(differences)
    means = sorted(sum(rng.choice(differences) for _ in range(count)) / count for _ in range(draw))
    mean, low, high = sum(differences) / count, means[int(0.025 * draw)], means[int(0.975 * draw)]
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def differences(rows, name, other, k):
    figure = f"sufficiency_{k}"
    return [figures(row, name)[figure] - figures(row, other)[figure] for row in rows]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [json.loads(line) for line in list(file)[1:]]
    ks = (1, 2, 3)
    print("| method | fill, less the method's own | K = 1 | K = 2 | K = 3 |\n|---|---|---|---|---|")
    for method in METHODS:
        for fill in FILLS:
            cells = [cell(differences(rows, f"{method} (paper) over {fill}", f"{method} (paper)", k)) for k in ks]
            print(f"| `{method}` | `{fill}` | " + " | ".join(cells) + " |")
    print("\n| family, mean of the methods | fill, less their own | K = 1 | K = 2 | K = 3 |\n|---|---|---|---|---|")
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        for fill in FILLS:
            cells = []
            for k in ks:
                each = [
                    differences(own, f"{method} (paper) over {fill}", f"{method} (paper)", k) for method in METHODS
                ]
                cells.append(cell([sum(values) / len(values) for values in zip(*each)]))
            print(f"| {family} | `{fill}` | " + " | ".join(cells) + " |")
    print("\n| method | fill, less the centred Gaussian | K = 1 | K = 2 | K = 3 |\n|---|---|---|---|---|")
    for method in METHODS:
        for fill in ["", *FILLS]:
            name = f"{method} (paper)" + (f" over {fill}" if fill else "")
            cells = [cell(differences(rows, name, "centred Gaussian", k)) for k in ks]
            print(f"| `{method}` | {f'`{fill}`' if fill else 'its own'} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
