import type { Spread } from "./statistics.ts";

/** One line of the table. */
export interface Row {
  readonly group: "verification" | "node" | "requests" | "parts" | "footprint";
  readonly workload: string;
  readonly contender: string;
  /** What is measured, with its unit, in the median and quartiles. */
  readonly unit: "µs" | "bytes" | "ms" | "MB";
  readonly value: Spread;
  /** `value` in each round, where a figure compares it with another row than the baseline. */
  readonly rounds?: readonly number[];
  /** The same over the baseline of the group, round by round. */
  readonly ratio?: Spread;
  /** Micro-seconds of the process's CPU, where `value` is time. */
  readonly cpu?: Spread;
  readonly cpuRatio?: Spread;
  /** Requests a second, and those over the baseline's. */
  readonly perSecond?: Spread;
  readonly perSecondRatio?: Spread;
}

/** One of the figures to hold, and what was measured. */
export interface Figure {
  readonly name: string;
  readonly limit: number;
  /** `most`: the value is to be at most the limit; `least`: at least. */
  readonly bound: "most" | "least";
  readonly unit: "ratio" | "bytes" | "ms" | "MB";
  readonly value: number;
  /** What the same run found to be needed for nothing but what cannot be left out; undefined: not measured. */
  readonly floor: number | undefined;
  readonly met: boolean;
}

/** Everything that a run has found. */
export interface Results {
  readonly date: string;
  readonly scale: "full" | "quick";
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly workerd: string;
  };
  /** Load average of the machine when the run began: above its cores, the numbers are worth little. */
  readonly loadAverage: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly figures: readonly Figure[];
}
