// What a test bundles around the gateway to break what it stands on: KV, the Cache API, WebCrypto and the clock. It runs in
// workerd, so it is plain JavaScript. Faults are set by `POST /__faults` and hold until they are set anew.
import { createWorker } from "../../src/index.ts";

let faults = {};
let advancedMs = 0;
const realNow = Date.now;
Date.now = () => realNow() + advancedMs;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Acts with a fault: `throw` at once, `reject`, `hang` for ever, `slow` by `ms`, or `value` instead. */
function withFault(fault, act) {
  switch (fault?.kind) {
    case undefined:
      return act();
    case "throw":
      throw new Error(fault.message ?? "KV GET failed: 500");
    case "reject":
      return Promise.reject(new Error(fault.message ?? "KV GET failed: 503"));
    case "hang":
      return new Promise(() => {});
    case "slow":
      return sleep(fault.ms).then(act);
    case "value":
      return Promise.resolve(fault.value);
    default:
      throw new Error(`unknown fault ${fault.kind}`);
  }
}

const faultyNamespace = (name, namespace) => ({
  get: (...args) => withFault(faults[`${name}.get`], () => namespace.get(...args)),
  put: (...args) => withFault(faults[`${name}.put`], () => namespace.put(...args)),
  list: (...args) => withFault(faults[`${name}.list`], () => namespace.list(...args)),
});

const realCaches = globalThis.caches;
const faultyCache = {
  match: (...args) => withFault(faults["cache.match"], () => realCaches.default.match(...args)),
  put: (...args) => withFault(faults["cache.put"], () => realCaches.default.put(...args)),
};
Object.defineProperty(globalThis, "caches", { value: { default: faultyCache }, configurable: true });

const realVerify = crypto.subtle.verify;
Object.defineProperty(crypto.subtle, "verify", {
  value: (...args) => withFault(faults["crypto.verify"], () => realVerify.apply(crypto.subtle, args)),
});

const faultyLimit = (name, limit) => ({
  limit: (...args) => withFault(faults[`${name}.limit`], () => limit.limit(...args)),
});

function faultyBinding(name, value) {
  if (typeof value?.get === "function" && typeof value?.list === "function")
    return faultyNamespace(name, value);
  return typeof value?.limit === "function" ? faultyLimit(name, value) : value;
}

/** One object for each `env`, as the runtime gives one. */
const faultyEnvs = new WeakMap();
function faultyEnv(env) {
  const known = faultyEnvs.get(env);
  if (known !== undefined) return known;
  const copy = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, faultyBinding(name, value)]),
  );
  faultyEnvs.set(env, copy);
  return copy;
}

async function control(request) {
  const { set, advanceMs, cachePut, cacheGet } = await request.json();
  if (set !== undefined) faults = set;
  if (advanceMs !== undefined) advancedMs += advanceMs;
  if (cachePut !== undefined) {
    const headers = { "cache-control": "max-age=3600" };
    await realCaches.default.put(cachePut.url, new Response(cachePut.body, { headers }));
  }
  const entry = cacheGet === undefined ? undefined : await realCaches.default.match(cacheGet);
  return Response.json({ now: Date.now(), entry: (await entry?.text()) ?? null });
}

/** The gateway of a policy on ground that can be made to give way. */
export function createFaultyWorker(policy) {
  const worker = createWorker(policy);
  return {
    fetch(request, env, context) {
      if (new URL(request.url).pathname === "/__faults") return control(request);
      return worker.fetch(request, faultyEnv(env), context);
    },
    scheduled: (controller, env, context) => worker.scheduled(controller, faultyEnv(env), context),
  };
}
