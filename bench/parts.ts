import { DUTIES } from "./contenders/undecided.ts";
import { requestHead } from "./headers.ts";
import { sendRequests } from "./load.ts";
import { startOrigin } from "./origin-process.ts";
import { TARGET } from "./policy.ts";
import type { Measurement } from "./result.ts";
import type { Scale } from "./scale.ts";
import { ratiosOf } from "./statistics.ts";
import type { Signer } from "./tokens.ts";
import { undecidedParts } from "./undecided.ts";
import { startWorker } from "./workerd.ts";

const CONCURRENCY = 16;

/**
 * What a whole request is made of: the duties of a gateway, one more at a time, all in one isolate and in turns. No
 * decision is among them.
 */
export async function measureParts(signer: Signer, token: string, scale: Scale): Promise<Measurement[]> {
  const origin = await startOrigin(signer.jwks);
  const worker = await startWorker(await undecidedParts(origin));
  const samples = DUTIES.map((): number[] => []);
  const head = requestHead(TARGET, token, "browser");
  const cpuUs = async (duties: number, requests: number): Promise<number> => {
    await fetch(`${worker.url}/duties/${duties}`);
    const cpuBefore = worker.cpuNs();
    await sendRequests(worker.url, requests, CONCURRENCY, () => head);
    return (worker.cpuNs() - cpuBefore) / 1000 / requests;
  };
  try {
    await cpuUs(DUTIES.length - 1, scale.warmUp); // all share their code
    for (const duties of DUTIES.keys()) await cpuUs(duties, scale.requests);
    for (let round = 0; round < scale.rounds; round += 1)
      for (const [duties, sample] of samples.entries()) sample.push(await cpuUs(duties, scale.requests));
  } finally {
    await worker.close();
    origin.close();
  }
  const [passThrough] = samples;
  return DUTIES.map((workload, duties): Measurement => {
    const sample = samples[duties] ?? [];
    return {
      group: "parts",
      contender: "no decision",
      workload,
      unit: "µs",
      value: sample,
      ratio: ratiosOf(sample, passThrough ?? sample),
    };
  });
}
