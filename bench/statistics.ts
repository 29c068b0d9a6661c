/** Median and quartiles of a sample. */
export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
}

/** The value below which `share` of the sample lies, with linear interpolation. */
function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? below;
  return below + (above - below) * (position - Math.floor(position));
}

/** Median and quartiles; NaN for an empty sample. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), p25: quantile(sorted, 0.25), p75: quantile(sorted, 0.75) };
}

/** Ratios of each round to the same round of the baseline: what disturbs both of them falls out. */
export const ratiosOf = (values: readonly number[], baseline: readonly number[]): number[] =>
  values.map((value, round) => value / (baseline[round] ?? Number.NaN));
