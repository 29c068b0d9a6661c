import { requestHead } from "./headers.ts";
import { type NextRequest, sendRequests } from "./load.ts";
import { type Origin, startOrigin } from "./origin-process.ts";
import { policyOf, TARGET } from "./policy.ts";
import { CLIENT_ID, ISSUER, POOL_ID } from "./pool.ts";
import type { Measurement } from "./result.ts";
import type { Scale } from "./scale.ts";
import { ratiosOf } from "./statistics.ts";
import type { Signer } from "./tokens.ts";
import { type BenchWorker, type BenchWorkerOptions, bundle, startWorker } from "./workerd.ts";

/** Connections with one request under way each. */
export const CONCURRENCIES = [16, 64] as const;
/** Tokens of a workload of known ones, in turn. */
export const KNOWN_TOKENS = 200;
const NEW_EVERY = 20; // 95 % known

interface Contender {
  readonly name: string;
  readonly workload: string;
  readonly worker: BenchWorker;
  readonly next: NextRequest;
}

/** A gateway with so many routes. */
export const gatewayEntry = (routes: number): string =>
  `import { createWorker } from "./src/index.ts"; export default createWorker(${JSON.stringify(policyOf(routes))});`;
const joseEntry = (routes: number): string =>
  `import { createJoseItty } from "./bench/contenders/jose-itty.ts";
   export default createJoseItty(${JSON.stringify(policyOf(routes))});`;

const joseBeforeEntry = (routes: number): string =>
  `import { createJoseBefore } from "./bench/contenders/jose-before.ts";
   import { createWorker } from "./src/index.ts";
   const policy = ${JSON.stringify(policyOf(routes))};
   export default createJoseBefore(policy, createWorker(policy));`;

/** What a gateway in front of this origin is configured with. */
export const gatewayBindings = ({ url }: Origin) => ({
  vars: {
    ORIGIN_URL: url,
    CORS_ORIGINS: ["https://app.example.com"],
    USER_POOLS: [
      { id: POOL_ID, client_ids: [CLIENT_ID], issuers: [{ issuer: ISSUER, jwks_url: `${url}/jwks.json` }] },
    ],
  },
  namespaces: ["JWKS", "M2M_TENANTS"],
});

/** The gateway by hand, which knows one key: that of ID tokens. */
export const byHand = async (origin: Origin, jwks: Signer["jwks"]): Promise<BenchWorkerOptions> => {
  const { ORIGIN_URL, CORS_ORIGINS } = gatewayBindings(origin).vars;
  return {
    script: await bundle('export { default } from "./bench/contenders/by-hand.ts";'),
    vars: { ORIGIN_URL, CORS_ORIGINS, ORIGIN_TIMEOUT_MS: 30_000, KEY: jwks.keys[0] },
  };
};

const joseVars = (jwks: Signer["jwks"]) => ({ ISSUER, CLIENT_ID, KEYS: jwks });

/** A gateway with 50 routes behind jose and itty-router, which do in each request what they are for. */
export async function gatewayWithJose(origin: Origin, jwks: Signer["jwks"]): Promise<BenchWorkerOptions> {
  const { vars, namespaces } = gatewayBindings(origin);
  return {
    script: await bundle(joseBeforeEntry(50)),
    vars: { ...vars, ...joseVars(jwks) },
    namespaces,
  };
}

async function startWorkers(origin: Origin, jwks: Signer["jwks"]) {
  const bindings = gatewayBindings(origin);
  const gateway = async (routes: number) =>
    startWorker({ script: await bundle(gatewayEntry(routes)), ...bindings });
  const pass = 'export { default } from "./bench/contenders/pass-through.ts";';
  return {
    knownByHand: await startWorker(await byHand(origin, jwks)),
    firstByHand: await startWorker(await byHand(origin, jwks)),
    mixedByHand: await startWorker(await byHand(origin, jwks)),
    pass: await startWorker({ script: await bundle(pass), vars: { ORIGIN_URL: origin.url } }),
    one: await gateway(1),
    known: await gateway(50),
    firstSeen: await gateway(50),
    mixed: await gateway(50),
    jose: await startWorker({
      script: await bundle(joseEntry(50)),
      vars: { ORIGIN_URL: origin.url, ...joseVars(jwks) },
    }),
    joseBefore: await startWorker(await gatewayWithJose(origin, jwks)),
  };
}

/** Tokens in a ring. One that is longer than the gateway remembers brings first-seen ones for ever. */
export function ring(tokens: readonly string[]): () => string {
  let index = 0;
  return () => {
    index = (index + 1) % tokens.length;
    return tokens[index] ?? "";
  };
}

/** 95 % known tokens. */
export function mixed(known: () => string, fresh: () => string): () => string {
  let sent = 0;
  return () => {
    sent += 1;
    return sent % NEW_EVERY === 0 ? fresh() : known();
  };
}

function contendersOf(
  workers: Awaited<ReturnType<typeof startWorkers>>,
  tokens: readonly string[],
): Contender[] {
  const knownTokens = tokens.slice(0, KNOWN_TOKENS);
  const freshTokens = tokens.slice(KNOWN_TOKENS);
  const known = ring(knownTokens);
  // a ring for each, else a token could come back while it is remembered
  const fresh = (): NextRequest => of(ring(freshTokens));
  const mostlyKnown = (): NextRequest => of(mixed(ring(knownTokens), ring(freshTokens)));
  const of =
    (token: () => string): NextRequest =>
    () =>
      requestHead(TARGET, token(), "browser");
  const { pass, jose, joseBefore } = workers;
  return [
    { name: "pass-through", workload: "known", worker: pass, next: of(known) },
    { name: "by-hand", workload: "known, 50 routes", worker: workers.knownByHand, next: of(known) },
    { name: "by-hand", workload: "first-seen, 50 routes", worker: workers.firstByHand, next: fresh() },
    { name: "by-hand", workload: "95 % known, 50 routes", worker: workers.mixedByHand, next: mostlyKnown() },
    { name: "edge", workload: "known, 1 route", worker: workers.one, next: of(known) },
    { name: "edge", workload: "known, 50 routes", worker: workers.known, next: of(known) },
    { name: "edge", workload: "first-seen, 50 routes", worker: workers.firstSeen, next: fresh() },
    { name: "edge", workload: "95 % known, 50 routes", worker: workers.mixed, next: mostlyKnown() },
    {
      name: "edge with jose + itty-router",
      workload: "95 % known, 50 routes",
      worker: joseBefore,
      next: mostlyKnown(),
    },
    { name: "jose + itty-router", workload: "95 % known, 50 routes", worker: jose, next: mostlyKnown() },
  ];
}

interface Sample {
  readonly cpuUs: number[];
  readonly perSecond: number[];
}

async function measureOnce({ worker, next }: Contender, count: number, concurrency: number, sample?: Sample) {
  const cpuBefore = worker.cpuNs();
  const startedAtMs = performance.now();
  await sendRequests(worker.url, count, concurrency, next);
  sample?.perSecond.push((count * 1000) / (performance.now() - startedAtMs));
  sample?.cpuUs.push((worker.cpuNs() - cpuBefore) / 1000 / count);
}

/** Whole requests through a Worker to a fast origin on loopback, contenders in turns. */
export async function measureRequests(
  signer: Signer,
  tokens: readonly string[],
  scale: Scale,
): Promise<Measurement[]> {
  const origin = await startOrigin(signer.jwks);
  const workers = await startWorkers(origin, signer.jwks);
  try {
    const contenders = contendersOf(workers, tokens);
    for (const contender of contenders) await measureOnce(contender, scale.warmUp, 16);
    const found: Measurement[] = [];
    for (const concurrency of CONCURRENCIES) {
      const samples = contenders.map((): Sample => ({ cpuUs: [], perSecond: [] }));
      for (let round = 0; round < scale.rounds; round += 1)
        for (const [index, contender] of contenders.entries())
          await measureOnce(contender, scale.requests, concurrency, samples[index]);
      const [baseline] = samples;
      for (const [index, { name, workload }] of contenders.entries()) {
        const sample = samples[index];
        if (sample === undefined || baseline === undefined) continue;
        found.push({
          group: "requests",
          contender: name,
          workload: `${workload}, ${concurrency} at once`,
          unit: "µs",
          value: sample.cpuUs,
          ratio: ratiosOf(sample.cpuUs, baseline.cpuUs),
          perSecond: sample.perSecond,
          perSecondRatio: ratiosOf(sample.perSecond, baseline.perSecond),
        });
      }
    }
    return found;
  } finally {
    await Promise.all(Object.values(workers).map((worker) => worker.close()));
    origin.close();
  }
}
