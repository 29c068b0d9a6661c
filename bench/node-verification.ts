import { createPublicKey, verify } from "node:crypto";
import { createVerifier } from "fast-jwt";
import { createCoreBench } from "./core-bench.ts";
import { CLIENT_ID, ISSUER } from "./pool.ts";
import type { Measurement } from "./result.ts";
import type { Scale } from "./scale.ts";
import { ratiosOf } from "./statistics.ts";
import type { Task } from "./task.ts";
import type { BenchTokens } from "./verification-worker.ts";

const at = (tokens: readonly string[], index: number): string => tokens[index % tokens.length] ?? "";

async function createTasks({ jwks, tokens }: BenchTokens): Promise<Record<string, Task>> {
  const first = tokens["first"] ?? [];
  const [keyJwk] = jwks.keys;
  if (keyJwk === undefined) throw new Error("there is no key");
  const publicKey = createPublicKey({ key: keyJwk as import("node:crypto").JsonWebKey, format: "jwk" });
  const key = publicKey.export({ type: "spki", format: "pem" });
  const parts = first.map((token) => {
    const end = token.lastIndexOf(".");
    return {
      input: Buffer.from(token.slice(0, end)),
      signature: Buffer.from(token.slice(end + 1), "base64url"),
    };
  });
  const options = { key, algorithms: ["RS256" as const], allowedIss: ISSUER, allowedAud: CLIENT_ID };
  const uncached = createVerifier({ ...options, cache: false });
  const cached = createVerifier({ ...options, cache: 10_000 });
  const core = await createCoreBench({ jwks, tokens });
  const coreTask = (name: string): Task =>
    core.tasks[name] ?? (() => Promise.reject(new Error(`no task ${name}`)));
  return {
    "bare signature"(count) {
      for (let index = 0; index < count; index += 1) {
        const part = parts[index % parts.length];
        if (!part || !verify("sha256", part.input, publicKey, part.signature))
          throw new Error("not verified");
      }
    },
    "fast-jwt first"(count) {
      for (let index = 0; index < count; index += 1) uncached(at(first, index));
    },
    "fast-jwt known"(count) {
      for (let index = 0; index < count; index += 1) cached(at(first, index));
    },
    "edge verify first": coreTask("edge verify first"),
    "edge decide first": coreTask("edge decide first"),
    "edge known": coreTask("edge known 1000 api"),
  };
}

/** Measures fast-jwt and the core in this very process: fast-jwt does not run in workerd. */
export async function measureNode(workloads: BenchTokens, scale: Scale): Promise<Measurement[]> {
  const tasks = await createTasks(workloads);
  const counts = new Map<string, number>();
  const samples = new Map<string, number[]>();
  const warmUp = Math.max(2_000, scale.warmUp); // every known token twice
  for (const [name, task] of Object.entries(tasks)) {
    const startedAtMs = performance.now();
    await task(warmUp);
    const perOperationMs = (performance.now() - startedAtMs) / warmUp;
    counts.set(name, Math.ceil(Math.min(50_000, Math.max(20, scale.batchMs / perOperationMs))));
    samples.set(name, []);
  }
  for (let round = 0; round < scale.rounds; round += 1)
    for (const [name, task] of Object.entries(tasks)) {
      const count = counts.get(name) ?? 1;
      const startedAtMs = performance.now();
      await task(count);
      samples.get(name)?.push(((performance.now() - startedAtMs) * 1000) / count);
    }
  const bare = samples.get("bare signature") ?? [];
  return [...samples].map(([name, timeUs]) => {
    const [contender = "", ...workload] = name.split(" ");
    return {
      group: "node",
      contender,
      workload: workload.join(" "),
      unit: "µs",
      value: timeUs,
      ratio: ratiosOf(timeUs, bare),
    } satisfies Measurement;
  });
}
