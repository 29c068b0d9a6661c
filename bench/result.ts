import { type Spread, spreadOf } from "./statistics.ts";

/** What was found of one contender and workload. */
interface Found<Values> {
  readonly group: "verification" | "node" | "requests" | "parts" | "footprint";
  readonly workload: string;
  readonly contender: string;
  readonly unit: "µs" | "bytes" | "ms" | "MB";
  readonly value: Values;
  /** The same over the baseline of the group, round by round. */
  readonly ratio?: Values;
  /** Micro-seconds of the process's CPU, where `value` is time. */
  readonly cpu?: Values;
  readonly cpuRatio?: Values;
  /** Requests a second, and those over the baseline's. */
  readonly perSecond?: Values;
  readonly perSecondRatio?: Values;
}

/** A number for each round. */
export type Measurement = Found<readonly number[]>;
/** One line of the table: the rounds' median and quartiles. */
export type Row = Found<Spread>;

const BESIDE_VALUE = ["ratio", "cpu", "cpuRatio", "perSecond", "perSecondRatio"] as const;
const VALUES = ["value", ...BESIDE_VALUE] as const;

/** The same found, with other values in place of those that there are. */
function mapValues<From, To>(
  found: Found<From>,
  map: (values: From, name: (typeof VALUES)[number]) => To,
): Found<To> {
  const { group, workload, contender, unit } = found;
  const mapped: Partial<Record<(typeof BESIDE_VALUE)[number], To>> = {};
  for (const name of BESIDE_VALUE) {
    const values = found[name];
    if (values !== undefined) mapped[name] = map(values, name);
  }
  return { group, workload, contender, unit, value: map(found.value, "value"), ...mapped };
}

const nameOf = ({ group, contender, workload }: Measurement): string => `${group}: ${contender}: ${workload}`;

/** What a pass has measured, in how many rounds. */
const shapeOf = (pass: readonly Measurement[]): string =>
  pass.map((each) => `${nameOf(each)}: ${VALUES.map((name) => each[name]?.length ?? 0)}`).join("\n");

/**
 * All rounds of all passes. Throws where they have not measured the same in as many rounds: two contenders are compared
 * round by round.
 */
export function joinPasses(passes: readonly (readonly Measurement[])[]): Measurement[] {
  const [first = []] = passes;
  if (passes.some((pass) => shapeOf(pass) !== shapeOf(first)))
    throw new Error("the passes have not measured the same");
  return first.map((measurement, index) =>
    mapValues(measurement, (_rounds, name) => passes.flatMap((pass) => pass[index]?.[name] ?? [])),
  );
}

/** The rounds as median and quartiles. */
export const rowOf = (measurement: Measurement): Row => mapValues(measurement, spreadOf);

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
