import type { Origin } from "./origin-process.ts";
import { type BenchWorkerOptions, bundle } from "./workerd.ts";

/** One of the Workers of `contenders/undecided.ts`, in front of an origin; `vars`: what it takes besides. */
export const undecided = async (
  name: "undecided" | "undecidedChecked" | "parts",
  { url }: Origin,
  vars: Readonly<Record<string, unknown>> = {},
): Promise<BenchWorkerOptions> => ({
  script: await bundle(`export { ${name} as default } from "./bench/contenders/undecided.ts";`),
  vars: { ORIGIN_URL: url, ORIGIN_TIMEOUT_MS: 30_000, ...vars },
});
