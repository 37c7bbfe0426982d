"""Sobol points of scipy, and total-order indices of scipy's sobol_indices.

Also writes the direction numbers that the crate reads, from the table that scipy ships (BSD-3; the numbers are those of
new-joe-kuo-6.21201, whose own licence asks that it stay with them).
"""

import hashlib
from pathlib import Path

import numpy as np
import scipy.stats
from scipy.stats import qmc

from common import write

DIMENSIONS = 512
TABLE = Path(__file__).parents[2] / "crates/explainer/src/methods/sobol/directions.txt"
HEADER = """\
Direction numbers of the Sobol sequence for dimensions 2 to 512, set new-joe-kuo-6.21201, from the table that scipy ships.
A line is one dimension: its primitive polynomial with all coefficients as bits, then m_1, m_2, ...
S. Joe and F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional projections",
SIAM J. Sci. Comput. 30, 2635-2654 (2008), https://web.maths.unsw.edu.au/~fkuo/sobol/

Copyright (c) 2008, Frances Y. Kuo and Stephen Joe
All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met:

    * Redistributions of source code must retain the above copyright notice, this list of conditions and the following
      disclaimer.

    * Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
      disclaimer in the documentation and/or other materials provided with the distribution.

    * Neither the names of the copyright holders nor the names of the University of New South Wales and the University
      of Waikato and its contributors may be used to endorse or promote products derived from this software without
      specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS ``AS IS'' AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT
SHALL THE COPYRIGHT HOLDERS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES
(INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.
"""


def directions():
    table = np.load(Path(scipy.stats.__file__).parent / "_sobol_direction_numbers.npz")
    lines = [f"# {line}".rstrip() for line in HEADER.splitlines()]
    for dimension in range(1, DIMENSIONS):
        polynomial = int(table["poly"][dimension])
        degree = polynomial.bit_length() - 1
        first = [int(v) for v in table["vinit"][dimension][:degree]]
        lines.append(" ".join(map(str, [polynomial, *first])))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def indices():
    """Scores of a design of 64 rows and 6 cells, and what scipy makes of them: its total order is Jansen's."""
    cells, rows = 6, 64
    sample = qmc.Sobol(2 * cells, scramble=False).random(rows)
    a, b = sample[:, :cells], sample[:, cells:]

    def score(x):
        return x[..., 0] + 2 * x[..., 1] * x[..., 2] - x[..., 3] ** 2 + np.sin(6 * x[..., 4])

    c = np.stack([np.where(np.arange(cells) == i, b, a) for i in range(cells)])
    f_a, f_b, f_c = score(a), score(b), score(c)
    answer = scipy.stats.sobol_indices(
        func={"f_A": f_a[None], "f_B": f_b[None], "f_AB": f_c[:, None, :]}, n=rows)
    # scipy divides by the variance over A and B together; the paper's code has that of A alone, and the clean preset the
    # mean of those of A and B.
    half = np.ravel(answer.total_order) * np.var(np.concatenate([f_a, f_b]))
    total = half / np.var(f_a, ddof=1)
    pooled = half / ((np.var(f_a, ddof=1) + np.var(f_b, ddof=1)) / 2)
    scores = np.concatenate([f_a[:, None], f_b[:, None], f_c.T], axis=1)
    return {"cells": cells, "scores": scores.ravel().tolist(), "total": total.tolist(),
            "pooled": pooled.tolist()}


def digest(points):
    return hashlib.sha256(points.astype("<f8").tobytes()).hexdigest()


def main():
    directions()
    small = qmc.Sobol(128, scramble=False).random(64)
    large = qmc.Sobol(DIMENSIONS, scramble=False).random(16)
    write("sobol", __file__, ["scipy", "numpy"], small_sha256=digest(small), small_row=small[37].tolist(),
          large_sha256=digest(large), large_row=large[11].tolist(), jansen=indices())


if __name__ == "__main__":
    main()
