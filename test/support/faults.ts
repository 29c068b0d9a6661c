import type { GatewayOptions, TestGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";

/** How a call fails. */
export type Fault =
  | { readonly kind: "throw" | "reject"; readonly message?: string }
  | { readonly kind: "hang" }
  | { readonly kind: "slow"; readonly ms: number }
  | { readonly kind: "value"; readonly value: unknown };

/** Calls that can fail: `JWKS.get`, `M2M_TENANTS.get`, `REVOCATIONS.list`, `cache.match`, `crypto.verify`, … */
export type Faults = Readonly<Record<string, Fault>>;

/** A gateway whose KV, Cache API and clock the test can break. */
export interface FaultyGateway extends TestGateway {
  /** Takes the place of all faults that were set before. */
  setFaults(faults: Faults): Promise<void>;
  /** Moves the isolate's clock on. */
  advance(ms: number): Promise<void>;
  /** Writes an entry into the data center's cache, as nobody outside could. */
  putCache(key: string, body: string): Promise<void>;
  getCache(key: string): Promise<string | null>;
}

const entry = (policy: string): string =>
  `import { createFaultyWorker } from "./test/support/faulty-worker.js"; export default createFaultyWorker(${policy});`;

/** Starts the bundle with faults to set around it. */
export async function startFaultyGateway(options: GatewayOptions): Promise<FaultyGateway> {
  const gateway = await startGateway({ ...options, entry });
  const control = async (body: unknown): Promise<{ entry: string | null }> => {
    const response = await fetch(`${gateway.url}/__faults`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`faults: ${response.status} ${await response.text()}`);
    return (await response.json()) as { entry: string | null };
  };
  return {
    ...gateway,
    setFaults: async (set) => void (await control({ set })),
    advance: async (advanceMs) => void (await control({ advanceMs })),
    putCache: async (url, body) => void (await control({ cachePut: { url, body } })),
    getCache: async (cacheGet) => (await control({ cacheGet })).entry,
  };
}

/** The key under which the gateway at `url` keeps an issuer's set in the Cache API. */
export const cacheKeyOf = (url: string, issuer: string): string =>
  `${url}/.well-known/edge-authorizer/jwks/${encodeURIComponent(issuer)}`;
