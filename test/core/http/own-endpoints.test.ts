import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/core/config.ts";
import type { Answer } from "../../../src/core/decision.ts";
import {
  answerOwnEndpoint,
  isHealthPath,
  isOwnPath,
  METADATA_PATH,
  misconfiguredHealth,
  OWN_METHODS,
  type OwnEndpointsContext,
} from "../../../src/core/http/own-endpoints.ts";
import type { Jwks, JwksHealth } from "../../../src/core/token/jwks.ts";
import { VERSION } from "../../../src/core/version.ts";
import { parsedPolicy } from "../policy/tables.ts";

const NOW_MS = 1_800_000_000_000;
const HEALTH_PATH = "/.well-known/edge-authorizer/health";
const ORIGINAL = "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_A";
const UPDATED = "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_A";
const EXPLICIT = "https://id.example/b";
const NO_SET: JwksHealth = { keys: 0, fetchedAtMs: undefined, lastFetchFailed: false };

const POOL_A = { id: "us-east-2_A", client_ids: ["app"] };
const POOL_B = {
  id: "local_B",
  client_ids: [],
  issuers: [{ issuer: EXPLICIT, jwks_url: "https://id.example/jwks.json" }],
};
const OPEN = { routes: [{ path: "/*" }] };

interface Setting {
  readonly pools?: readonly unknown[];
  readonly policy?: unknown;
  /** What is known of each issuer's keys. */
  readonly sets?: Readonly<Record<string, JwksHealth>>;
}

function contextOf({ pools = [POOL_A], policy = OPEN, sets = {} }: Setting): OwnEndpointsContext {
  const config = parseConfig({ ORIGIN_URL: "https://origin.example", USER_POOLS: pools });
  if (!config.ok) throw new Error(config.faults.join("\n"));
  const never = () => {
    throw new Error("health never asks Cognito");
  };
  const jwks: Jwks = {
    findInMemory: never,
    find: never,
    warm: never,
    health: async ({ issuer }) => sets[issuer] ?? NO_SET,
  };
  return {
    config: config.value,
    policy: parsedPolicy(policy),
    jwks,
    sources: { cache: { get: never, put: never }, kv: { get: never, put: never }, fetch: never },
    scope: { now: () => NOW_MS, defer: never, within: (work) => work, report: never },
    gatewayOrigin: "https://api.example",
  };
}

async function answerOf(path: string, setting: Setting = {}, method = "GET"): Promise<Answer> {
  const answer = await answerOwnEndpoint(method, path, contextOf(setting));
  if (answer === undefined) throw new Error("no answer");
  return answer;
}
const bodyOf = ({ body }: Answer): unknown => JSON.parse(body ?? "");

/** A set that was fetched so many milliseconds ago. */
const aged = (ageMs: number, keys = 2, lastFetchFailed = false): JwksHealth => ({
  keys,
  fetchedAtMs: NOW_MS - ageMs,
  lastFetchFailed,
});
const health = async (sets: Record<string, JwksHealth>, pools: readonly unknown[] = [POOL_A]) => {
  const answer = await answerOf(HEALTH_PATH, { sets, pools });
  return { code: answer.status, ...(bodyOf(answer) as { status: string; pools: unknown[] }) };
};

describe("own paths", () => {
  it.each([METADATA_PATH, HEALTH_PATH, `${METADATA_PATH}/`, `${HEALTH_PATH}/`])("are %s", (path) => {
    expect(isOwnPath(path)).toBe(true);
  });
  it.each([
    ...["/", "/.well-known", "/.well-known/", "/.well-known/openid-configuration", "/x"],
    ...[`${METADATA_PATH}x`, `${METADATA_PATH}/x`, `${HEALTH_PATH}//`, `/x${HEALTH_PATH}`],
    ...[METADATA_PATH.toUpperCase(), "/.well-known/edge-authorizer", "/.Well-known/edge-authorizer/health"],
  ])("are not %s", (path) => {
    expect(isOwnPath(path)).toBe(false);
  });

  it("are health's in any spelling", () => {
    for (const path of [HEALTH_PATH, `${HEALTH_PATH}/`, "/%2Ewell-known/edge%2Dauthorizer/health"])
      expect(isHealthPath(path), path).toBe(true);
    for (const path of [METADATA_PATH, `${HEALTH_PATH}/x`, `/x${HEALTH_PATH}`, `/${HEALTH_PATH}`, "/%zz", ""])
      expect(isHealthPath(path), path).toBe(false);
  });

  it("take GET and HEAD, and nothing else", async () => {
    expect(OWN_METHODS).toEqual(["GET", "HEAD"]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"])
      for (const path of [METADATA_PATH, HEALTH_PATH])
        expect(await answerOwnEndpoint(method, path, contextOf({})), `${method} ${path}`).toBeUndefined();
  });

  it("have no answer where nothing is", async () => {
    expect(await answerOwnEndpoint("GET", "/.well-known/other", contextOf({}))).toBeUndefined();
    expect(await answerOwnEndpoint("HEAD", "/.well-known/other", contextOf({}))).toBeUndefined();
  });

  it("answer HEAD as GET, without a body", async () => {
    for (const path of [METADATA_PATH, HEALTH_PATH]) {
      const { status, headers } = await answerOf(path);
      expect(await answerOf(path, {}, "HEAD")).toEqual({ status, headers, body: null });
    }
  });

  it("answer with a final slash too", async () => {
    for (const path of [METADATA_PATH, HEALTH_PATH])
      expect(await answerOf(`${path}/`)).toEqual(await answerOf(path));
  });
});

describe("protected-resource metadata", () => {
  it("names the resource, and the issuers that the pool's tokens can have by its id", async () => {
    expect(await answerOf(METADATA_PATH)).toEqual({
      status: 200,
      headers: [
        ["content-type", "application/json"],
        ["cache-control", "no-store"],
      ],
      body: JSON.stringify({
        resource: "https://api.example",
        authorization_servers: [ORIGINAL],
        bearer_methods_supported: ["header"],
      }),
    });
  });

  it("names the issuers of every pool, explicit ones too", async () => {
    expect(bodyOf(await answerOf(METADATA_PATH, { pools: [POOL_A, POOL_B] }))).toMatchObject({
      authorization_servers: [ORIGINAL, EXPLICIT],
    });
  });

  it("names each scope that a route or the policy asks for once", async () => {
    const policy = {
      m2mScope: "zen/m2m",
      routes: [{ path: "/a", scopes: ["zen/b", "zen/a"] }, { path: "/b" }, { path: "/c", scopes: ["zen/a"] }],
    };
    expect(bodyOf(await answerOf(METADATA_PATH, { policy }))).toMatchObject({
      scopes_supported: ["zen/b", "zen/a", "zen/m2m"],
    });
    const alone = { m2mScope: "zen/m2m", routes: [{ path: "/a" }] };
    expect(bodyOf(await answerOf(METADATA_PATH, { policy: alone }))).toMatchObject({
      scopes_supported: ["zen/m2m"],
    });
  });
});

describe("health", () => {
  it("is JSON that is never stored, with the version", async () => {
    expect(await answerOf(HEALTH_PATH, { sets: { [ORIGINAL]: aged(61_900) } })).toEqual({
      status: 200,
      headers: [
        ["content-type", "application/json"],
        ["cache-control", "no-store"],
      ],
      body: JSON.stringify({
        status: "ok",
        version: VERSION,
        pools: [{ id: "us-east-2_A", keys: 2, age_seconds: 61 }],
      }),
    });
  });

  it("is ok while the set is 10 minutes old, and degraded when it is older", async () => {
    expect(await health({ [ORIGINAL]: aged(600_000) })).toMatchObject({ code: 200, status: "ok" });
    expect(await health({ [ORIGINAL]: aged(600_001) })).toMatchObject({
      code: 200,
      status: "degraded",
      pools: [{ keys: 2, age_seconds: 600 }],
    });
  });

  it("is degraded when the last fetch failed, of either issuer", async () => {
    expect(await health({ [ORIGINAL]: aged(1000, 2, true) })).toMatchObject({
      code: 200,
      status: "degraded",
    });
    const unreachable = { ...NO_SET, lastFetchFailed: true };
    expect(await health({ [ORIGINAL]: aged(1000), [UPDATED]: unreachable })).toMatchObject({
      code: 200,
      status: "degraded",
    });
  });

  it("is 503 without keys", async () => {
    expect(await health({})).toMatchObject({
      code: 503,
      status: "degraded",
      pools: [{ id: "us-east-2_A", keys: 0, age_seconds: null }],
    });
    expect(await health({}, [POOL_A, POOL_B])).toMatchObject({ code: 503 });
  });

  it("is degraded, and no outage, where one pool of two has keys", async () => {
    expect(await health({ [EXPLICIT]: aged(0, 1) }, [POOL_A, POOL_B])).toMatchObject({
      code: 200,
      status: "degraded",
      pools: [
        { id: "us-east-2_A", keys: 0, age_seconds: null },
        { id: "local_B", keys: 1, age_seconds: 0 },
      ],
    });
    expect(await health({ [ORIGINAL]: aged(0), [EXPLICIT]: aged(0) }, [POOL_A, POOL_B])).toMatchObject({
      code: 200,
      status: "ok",
    });
  });

  it("tells of a pool's newest set, whichever issuer it is of", async () => {
    for (const [older, newer] of [
      [ORIGINAL, UPDATED],
      [UPDATED, ORIGINAL],
    ] as const)
      expect(await health({ [older]: aged(700_000, 5), [newer]: aged(2_000, 3) })).toMatchObject({
        status: "ok",
        pools: [{ keys: 3, age_seconds: 2 }],
      });
    expect(await health({ [UPDATED]: aged(2_000, 3) })).toMatchObject({
      status: "ok",
      pools: [{ keys: 3, age_seconds: 2 }],
    });
  });

  it("never tells of a negative age", async () => {
    expect(await health({ [ORIGINAL]: aged(-5_000) })).toMatchObject({ pools: [{ age_seconds: 0 }] });
  });

  it("of a gateway that is misconfigured is 503", () => {
    const answer = misconfiguredHealth();
    expect(answer.status).toBe(503);
    expect(answer.headers).toEqual([
      ["content-type", "application/json"],
      ["cache-control", "no-store"],
    ]);
    expect(bodyOf(answer)).toEqual({
      status: "degraded",
      version: VERSION,
      pools: [],
      error: "misconfigured",
    });
  });
});
