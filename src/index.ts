/**
 * The public API: whoever adopts the gateway writes a policy with {@link definePolicy} and a Worker entry with
 * {@link createWorker}.
 */
export type { Env } from "./cloudflare/env.ts";
export { createWorker } from "./cloudflare/worker.ts";
export { definePolicy, PolicyError } from "./core/policy/define.ts";
export type { CallerKind, Policy, Route, TokenUse } from "./core/policy/schema.ts";
export type { Principal } from "./core/principal.ts";
