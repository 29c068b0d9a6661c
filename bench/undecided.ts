import type { Origin } from "./origin-process.ts";
import { type BenchWorkerOptions, bundle } from "./workerd.ts";

/** The Worker of `contenders/undecided.ts`, in front of an origin. */
export const undecidedParts = async ({ url }: Origin): Promise<BenchWorkerOptions> => ({
  script: await bundle('export { default } from "./bench/contenders/undecided.ts";'),
  vars: { ORIGIN_URL: url, ORIGIN_TIMEOUT_MS: 30_000 },
});
