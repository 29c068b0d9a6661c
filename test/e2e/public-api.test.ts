import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { eventually, nowSeconds, type Stack, startStack } from "./stack.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const bundle = (contents: string) =>
  build({
    stdin: { contents, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    format: "esm",
    write: false,
    metafile: true,
    logLevel: "silent",
  });

describe("an adopter's own entry", () => {
  it("is bundled by plain esbuild, and imports nothing that is not in the bundle", async () => {
    const { outputFiles, metafile } = await bundle(
      `import { createWorker, definePolicy } from "./src/index.ts";
       export default createWorker(definePolicy({ routes: [{ path: "/*" }] }));`,
    );
    const [output] = Object.values(metafile.outputs);
    expect(output?.imports).toEqual([]);
    expect(output?.exports).toEqual(["default"]);
    const text = outputFiles[0]?.text ?? "";
    for (const missing of ["process.env", "node:", "cloudflare:", "require("])
      expect(text).not.toContain(missing);
  });

  it("needs no compatibility flags", () => {
    const config = parse(readFileSync(`${ROOT}wrangler.toml`, "utf8"));
    expect(config["compatibility_flags"] ?? []).toEqual([]);
    expect(config["main"]).toBe("src/worker.ts");
  });
});

describe("createWorker", () => {
  let stack: Stack;
  let others: TestGateway;
  /** Throws at the first write to `env`, or to a table in it. */
  const frozenEntry = (): string => `
    import { createWorker } from "./src/index.ts";
    import policy from "./src/policy.ts";
    const worker = createWorker(policy);
    const freeze = (value) => {
      if (typeof value !== "object" || value === null) return value;
      if (Object.getPrototypeOf(value) !== Object.prototype && !Array.isArray(value)) return value; // a binding
      Object.values(value).forEach(freeze);
      return Object.freeze(value);
    };
    let frozen;
    const guarded = (env) => (frozen ??= freeze({ ...env }));
    export default {
      fetch: (request, env, context) => worker.fetch(request, guarded(env), context),
      scheduled: (controller, env, context) => worker.scheduled(controller, guarded(env), context),
    };`;

  beforeAll(async () => {
    stack = await startStack(startGateway, { policy: { routes: [] }, entry: frozenEntry });
    await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '{"tenants":["acme"],"role":"admin"}');
    // one Worker that is handed two environments: each has its own configuration
    others = await startGateway({
      policy: { routes: [{ path: "/*" }] },
      vars: { ORIGIN_URL: stack.origin.url, USER_POOLS: "[]" },
      entry: (policy) => `
        import { createWorker } from "./src/index.ts";
        const worker = createWorker(${policy});
        const pools = ${JSON.stringify([{ id: "us-east-2_Test1", client_ids: ["app-client"] }])};
        let second;
        export default {
          fetch(request, env, context) {
            second ??= { ...env, USER_POOLS: pools, REALM: "second" };
            const answer = worker.fetch(request, request.headers.has("x-second") ? second : env, context);
            return answer.then((response) => response);
          },
        };`,
    });
  });
  afterAll(async () => {
    await others?.close();
    await stack?.close();
  });

  it("never writes to env: requests, refusals, own endpoints and the cron run on a frozen one", async () => {
    const token = await stack.id();
    expect(await stack.outcome("/v1/tenants/acme/x", { token })).toBe("200");
    expect(await stack.outcome("/v1/x", { token: await stack.machine(), tenant: "acme" })).toBe("200");
    expect(await stack.outcome("/v1/webchat/messages", { method: "POST", body: "{}" })).toBe("200");
    expect(await stack.outcome("/v1/x")).toBe("missing_token");
    expect((await stack.call("/.well-known/edge-authorizer/health")).status).toBe(200);
    await stack.gateway.runCron();
    expect(stack.gateway.logs.filter(({ event }) => event === "internal_error")).toEqual([]);
  });

  it("with the shipped policy decides as its README says", async () => {
    const viewer = await stack.id({ "custom:role": "viewer" });
    const admin = await stack.id();
    expect(await stack.outcome("/v1/webchat/messages", { method: "GET" })).toBe("missing_token");
    expect(await stack.outcome("/v1/reports/2026", { token: viewer })).toBe("200");
    expect(await stack.outcome("/v1/tenants/acme", { token: viewer })).toBe("insufficient_role");
    expect(await stack.outcome("/v1/tenants/globex", { token: admin })).toBe("tenant_mismatch");
    expect(await stack.outcome("/v1/tenants/acme", { token: admin })).toBe("200");
    expect(await stack.outcome("/v2", { token: admin })).toBe("route_not_found");
  });

  it("reads bindings from the env that it is handed, keeps environments apart, and always hands out a promise", async () => {
    const outcome = async (headers: Record<string, string>) => {
      const response = await others.fetch("/x", { headers });
      return [(await response.json()).error, response.headers.get("www-authenticate")];
    };
    for (let index = 0; index < 2; index += 1) {
      expect(await outcome({})).toEqual(["misconfigured", null]);
      expect(await outcome({ "x-second": "1" })).toEqual([
        "missing_token",
        expect.stringContaining('realm="second"'),
      ]);
    }
  });
});

describe("a wrapper that makes an env of its own for each request, as tracing does", () => {
  /** `x-without` and `x-realm` change that one env, as no wrapper would. */
  const wrapping = (make: string) => (policy: string) =>
    `
    import { createWorker } from "./src/index.ts";
    const worker = createWorker(${policy});
    const make = ${make};
    export default {
      fetch(request, env, context) {
        const made = make(env);
        const without = request.headers.get("x-without");
        const realm = request.headers.get("x-realm");
        if (without !== null) return worker.fetch(request, { ...made, [without]: undefined }, context);
        return worker.fetch(request, realm === null ? made : { ...made, REALM: realm }, context);
      },
    };`;
  const policy = { routes: [{ path: "/*" }] };

  it.each([
    ["a copy", "(env) => ({ ...env })"],
    ["a proxy", "(env) => new Proxy(env, {})"],
    [
      "a proxy of all that it holds",
      `(env) => new Proxy(env, {
        get: (target, name) => {
          const value = target[name];
          if (typeof value?.get !== "function") return value;
          return new Proxy(value, {
            get: (binding, method) => typeof binding[method] === "function" ? binding[method].bind(binding) : binding[method],
          });
        },
      })`,
    ],
  ])("keeps what the isolate remembers: %s", async (_what, make) => {
    const stack = await startStack(startGateway, { policy, entry: wrapping(make) });
    const stranger = await createSigningKey("stranger");
    for (let index = 0; index < 2; index += 1)
      expect(await stack.outcome("/x", { token: await stack.id() })).toBe("200");
    for (let index = 0; index < 20; index += 1) {
      const claims = idClaims(stack.issuer, nowSeconds());
      const token = await sign(stranger, claims, { kid: `invented-${index}` });
      expect(await stack.outcome("/x", { token })).toBe("invalid_signature");
    }
    expect(stack.cognito.received.length).toBeLessThanOrEqual(4); // a slow machine may need over ten seconds
    await stack.close();
  });

  it("names the faults of a configuration once, not with each request", async () => {
    const gateway = await startGateway({
      policy,
      vars: { ORIGIN_URL: "https://api.example.com", USER_POOLS: [] },
      entry: wrapping("(env) => ({ ...env })"),
    });
    for (let index = 0; index < 5; index += 1) expect((await gateway.fetch("/x")).status).toBe(500);
    await eventually(() => expect(gateway.decisions()).toHaveLength(5));
    expect(gateway.logs.filter(({ event }) => event === "misconfigured")).toHaveLength(1);
    await gateway.close();
  });

  it("leads to one gateway for the same variables and bindings alone, and to ten at most", async () => {
    const stack = await startStack(startGateway, {
      policy,
      namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
      vars: { ORIGIN_SECRET: "never-to-be-logged-0123456789" },
      entry: wrapping("(env) => ({ ...env })"),
    });
    const token = await stack.id();
    const layerOf = async (headers: Record<string, string> = {}) => {
      const response = await stack.call("/x", { token, headers });
      return (await stack.lineOf(response))["jwks"];
    };
    expect(await layerOf()).toBe("origin");
    expect(await layerOf()).toBe("memory");
    expect(await layerOf({ "x-without": "REVOCATIONS" })).not.toBe("memory");
    expect(await stack.outcome("/x", { token, headers: { "x-without": "M2M_TENANTS" } })).toBe(
      "misconfigured",
    );
    for (let index = 0; index < 7; index += 1)
      expect(await layerOf({ "x-realm": `realm-${index}` })).not.toBe("memory");
    expect(await layerOf()).toBe("memory"); // one of the last ten
    for (let index = 0; index < 10; index += 1) await layerOf({ "x-realm": `other-${index}` });
    expect(await layerOf()).not.toBe("memory");
    expect(stack.gateway.output.join("\n")).not.toContain("never-to-be-logged");
    await stack.close();
  });
});

describe("variables given as text, as --var and .dev.vars do", () => {
  it("mean the same as typed ones", async () => {
    const stack = await startStack(startGateway, {
      policy: { routes: [{ path: "/b/*", origin: "b", access: "public" }, { path: "/*" }] },
      varsOf: ({ origin, cognito }) => ({
        ORIGINS: JSON.stringify({ b: `${origin}/stage` }),
        USER_POOLS: JSON.stringify([
          {
            id: "us-east-2_Test1",
            client_ids: ["app-client"],
            issuers: [{ issuer: `${cognito}/us-east-2_Test1`, jwks_url: `${cognito}/us-east-2_Test1/jwks` }],
          },
        ]),
        CORS_ORIGINS: '["https://app.example.com"]',
        EXP_TOLERANCE_SECONDS: "300",
        SKEW_TOLERANCE_SECONDS: "0",
        ORIGIN_TIMEOUT_MS: "30000",
        FORWARD_AUTHORIZATION: "false",
        MODE: "enforce",
      }),
    });
    const exp = Math.floor(Date.now() / 1000) - 100;
    const headers = { origin: "https://app.example.com" };
    const response = await stack.call("/x", { token: await stack.id({ exp }), headers });
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    expect(stack.origin.last().headers["authorization"]).toBeUndefined();
    expect(await stack.outcome("/b/x")).toBe("200");
    expect(stack.origin.last().target).toBe("/stage/b/x");
    await stack.close();
  });
});
