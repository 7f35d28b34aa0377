// What a set comes to while its loads are typed, on the entry page and on the set's own. The server decides.
"use strict";
(function () {
  // GB/T 50081: the mean, or the middle value when one lies further from it than the tolerance, or nothing when both do.
  // EN 206 ("range"): the mean, or nothing when the range is more than its tolerance of it.
  function verdict(strengths, rule, tolerance, rangeTolerance) {
    const sorted = strengths.slice().sort((a, b) => a - b);
    const mean = { basis: "mean", value: sorted.reduce((a, b) => a + b, 0) / sorted.length };
    if (rule === "range") {
      const range = sorted[sorted.length - 1] - sorted[0];
      return range > rangeTolerance * mean.value * (1 + 1e-9) ? { basis: "spread", value: NaN } : mean;
    }
    if (rule !== "cube-set" || sorted.length !== 3) { return mean; }
    const limit = tolerance * sorted[1] * (1 + 1e-9); // exactly the tolerance is within, which binary fractions miss
    const low = sorted[1] - sorted[0] > limit;
    const high = sorted[2] - sorted[1] > limit;
    if (low && high) { return { basis: "invalid", value: NaN }; }
    return low || high ? { basis: "middle", value: sorted[1] } : mean;
  }

  // Into the box, once every strength (MPa, NaN for what is none) is there. `factor`: of the size, as text; `words`: by basis,
  // and the `tolerance` and `rangeTolerance` of the rules.
  window.showVerdict = (box, strengths, rule, factor, words) => {
    box.className = "entry-verdict"; box.textContent = "";
    if (!strengths.length || !strengths.every(Number.isFinite)) { return; }
    const found = verdict(strengths, rule, Number(words.tolerance), Number(words.rangeTolerance));
    const times = Number(factor) || 1;
    box.classList.add(found.basis);
    box.textContent = (Number.isFinite(found.value) ? (found.value * times).toFixed(1) + " MPa · " : "") + words[found.basis] + (times === 1 ? "" : " · × " + factor);
  };
})();
