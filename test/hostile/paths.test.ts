import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMatcher, type Matcher } from "../../src/core/policy/matcher.ts";
import { parsePolicy } from "../../src/core/policy/reading.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type RawResponse, sendRequest } from "../support/raw-tcp.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { originViews, PATH_PIECES } from "./origin-views.ts";

const POLICY = {
  roles: ["viewer", "admin"],
  routes: [
    { path: "/pub/*", access: "public" },
    { path: "/admin/*", role: "admin" },
    { path: "/t/:tenantId/*", tenantParam: "tenantId" },
    { path: "/a:b/*", access: "deny" },
    { path: "/*" },
  ],
} as const;

let origin: TestServer;
let cognito: TestServer;
let gateway: TestGateway;
let token: string;
let matcher: Matcher;

beforeAll(async () => {
  const key = await createSigningKey("k1");
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => [key.jwk])]);
  const issuer = `${cognito.url}/us-east-2_Path1`;
  gateway = await startGateway({
    policy: POLICY,
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      USER_POOLS: [
        {
          id: "us-east-2_Path1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  token = await sign(key, idClaims(issuer, Math.floor(Date.now() / 1000), { "custom:role": "viewer" }));
  const parsed = parsePolicy(POLICY);
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  matcher = createMatcher(parsed.value.routes);
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

interface Seen {
  readonly response: RawResponse;
  readonly code: string | undefined;
  /** What the origin received, the stage path among it. */
  readonly targets: readonly string[];
}

/** Sends a target as it stands, with the token of a viewer of the tenant acme. */
async function send(target: string): Promise<Seen> {
  const before = origin.received.length;
  const response = await sendRequest(gateway.url, target, [`Authorization: Bearer ${token}`]);
  return {
    response,
    code: /"error":"(\w+)"/.exec(response.body)?.[1],
    targets: origin.received.slice(before).map((request) => request.target),
  };
}

/** Nothing that has arrived may look, to whatever origin, like something that this caller is refused. */
function expectHarmless({ targets }: Seen): void {
  expect(targets.length).toBeLessThanOrEqual(1);
  for (const target of targets) {
    expect(target.startsWith("/prod/"), target).toBe(true);
    const path = target.slice("/prod".length).split("?", 1)[0] ?? "";
    const decided = gateway.decisions().at(-1)?.["route"];
    for (const view of originViews(path))
      expect(matcher.match(view, "GET")?.pattern.text, target).toBe(decided);
    expect(decided).not.toBe("/admin/*");
    if (decided === "/t/:tenantId/*")
      expect(originViews(path).every((view) => view[1] === "acme")).toBe(true);
  }
}

const REFUSED = "400 invalid_path";
const FORBIDDEN = "403 insufficient_role";
const OTHERS = "403 tenant_mismatch";
const DENIED = "403 route_denied";

/** Target, and what becomes of it: a refusal, or the path (and query) that the origin receives. */
const SPELLINGS: readonly (readonly [target: string, outcome: string])[] = [
  // as they should be
  ["/pub/x", "/pub/x"],
  ["/pub/x/", "/pub/x/"],
  ["/pub", "/pub"],
  ["/pub/", "/pub/"],
  ["/", "/"],
  ["/other", "/other"],
  ["/admin", FORBIDDEN],
  ["/admin/", FORBIDDEN],
  ["/admin/x", FORBIDDEN],
  ["/admin/x/", FORBIDDEN],
  ["/admin?x=1", FORBIDDEN],
  ["/admin#x", FORBIDDEN],
  ["/a:b", DENIED],
  // case
  ["/PUB/x", "/PUB/x"],
  ["/Admin/x", "/Admin/x"],
  ["/ADMIN", "/ADMIN"],
  // unreserved characters, encoded
  ["/%61dmin/x", FORBIDDEN],
  ["/%61%64%6D%69%6e/x", FORBIDDEN],
  ["/admi%6e", FORBIDDEN],
  ["/%70ub/x", "/pub/x"],
  ["/%41dmin/x", "/Admin/x"],
  ["/pub/a%2Eb", "/pub/a.b"],
  ["/pub/a%2db%5fc%7ed", "/pub/a-b_c~d"],
  ["/a%3Ab", DENIED],
  ["/a%3ab/x", DENIED],
  ["/%61:b", DENIED],
  // dot segments
  ["/pub/../admin/x", FORBIDDEN],
  ["/pub/./../admin/x", FORBIDDEN],
  ["/pub/x/../../admin/x", FORBIDDEN],
  ["/./admin/x", FORBIDDEN],
  ["/../admin/x", FORBIDDEN],
  ["/../../../admin/x", FORBIDDEN],
  ["/pub/..", "/"],
  ["/pub/.", "/pub/"],
  ["/pub/x/..", "/pub/"],
  ["/pub/...", "/pub/..."],
  ["/pub/..x", "/pub/..x"],
  ["/pub/.x", "/pub/.x"],
  ["/admin/..", "/"],
  ["/admin/../pub/x", "/pub/x"],
  // dot segments, encoded
  ["/pub/%2e%2e/admin/x", FORBIDDEN],
  ["/pub/%2E%2E/admin/x", FORBIDDEN],
  ["/pub/.%2e/admin/x", FORBIDDEN],
  ["/pub/%2e./admin/x", FORBIDDEN],
  ["/%2e/admin/x", FORBIDDEN],
  ["/pub/%2e", "/pub/"],
  ["/pub/x/%2e%2E", "/pub/"],
  ["/pub/%252e%252e/admin/x", REFUSED],
  ["/pub/%25%32%65%25%32%65/admin/x", REFUSED],
  ["/pub/%c0%ae%c0%ae/admin/x", REFUSED],
  ["/pub/%e0%80%ae%e0%80%ae/admin/x", REFUSED],
  ["/pub/%uff0e%uff0e/admin/x", REFUSED],
  ["/pub/%ef%bc%8e%ef%bc%8e/admin/x", "/pub/%ef%bc%8e%ef%bc%8e/admin/x"],
  // escapes that decoding puts together
  ["/pub/%%32%65%%32%65/admin/x", REFUSED],
  ["/pub/%%32e%%32e/admin/x", REFUSED],
  ["/pub/%2%65%2%65/admin/x", REFUSED],
  ["/pub/%%32%45%%32%45/admin/x", REFUSED],
  ["/pub/%%32%65%%32%65/%%32%65%%32%65/x", REFUSED],
  ["/%%36%31dmin/x", REFUSED],
  ["/%6%31dmin/x", REFUSED],
  ["/pub/%%32%66x", REFUSED],
  ["/pub/%%35%63x", REFUSED],
  ["/pub/%%33%62x", REFUSED],
  ["/pub/%%34%31", REFUSED],
  // slashes
  ["//admin/x", REFUSED],
  ["//pub/x", REFUSED],
  ["/pub//x", REFUSED],
  ["/pub//", REFUSED],
  ["/pub///admin", REFUSED],
  ["/pub//../admin/x", "/pub/admin/x"],
  ["/pub/%2fadmin", REFUSED],
  ["/pub/%2Fadmin", REFUSED],
  ["/pub%2f..%2fadmin/x", REFUSED],
  ["/pub/..%2fadmin/x", REFUSED],
  ["/pub/%2e%2e%2fadmin/x", REFUSED],
  ["/admin%2fx", REFUSED],
  ["/pub/%252fx", REFUSED],
  ["/pub/%c0%afadmin", REFUSED],
  ["/pub/%e0%80%afadmin", REFUSED],
  ["/pub/%f0%80%80%afadmin", REFUSED],
  ["/pub/%ef%bc%8fadmin", "/pub/%ef%bc%8fadmin"],
  ["/pub/%e2%88%95admin", "/pub/%e2%88%95admin"],
  // backslashes: a URL parser takes them for slashes
  ["/pub\\x", "/pub/x"],
  ["/pub\\..\\admin\\x", FORBIDDEN],
  ["/pub/..\\admin/x", FORBIDDEN],
  ["/\\admin/x", REFUSED],
  ["/pub/%5c..%5cadmin", REFUSED],
  ["/pub/..%5Cadmin/x", REFUSED],
  ["/pub/%255cx", REFUSED],
  // semicolons: path parameters
  ["/pub;/x", REFUSED],
  ["/pub/x;y=1", REFUSED],
  ["/pub/..;/admin/x", REFUSED],
  ["/pub/..;x=1/admin/x", REFUSED],
  ["/pub/.;/../admin/x", "/pub/admin/x"],
  ["/admin;/x", REFUSED],
  ["/;/admin/x", REFUSED],
  ["/pub/%3bx", REFUSED],
  ["/pub/%3Bx", REFUSED],
  ["/pub/%253bx", REFUSED],
  // ? and #
  ["/pub/%3fx", REFUSED],
  ["/pub/%3Fx", REFUSED],
  ["/pub/%23x", REFUSED],
  ["/pub%3f/../admin/x", FORBIDDEN],
  ["/pub/x#/../admin", "/pub/x"],
  ["/pub#/../admin", "/pub"],
  ["/pub/x?/../../admin", "/pub/x?/../../admin"],
  ["/pub/x?a=1#b", "/pub/x?a=1"],
  ["/pub/x?", "/pub/x?"],
  ["/pub/x??a", "/pub/x??a"],
  ["/pub/x?a=%2e%2e/%zz;b//c%00", "/pub/x?a=%2e%2e/%zz;b//c%00"],
  ["/pub/x?a=%61&b=+%20", "/pub/x?a=%61&b=+%20"],
  ["/?x=/admin", "/?x=/admin"],
  // percent signs and control characters
  ["/pub/%", REFUSED],
  ["/pub/%4", REFUSED],
  ["/pub/%zz", REFUSED],
  ["/pub/%g1", REFUSED],
  ["/pub/%%", REFUSED],
  ["/pub/100%25", REFUSED],
  ["/pub/%2525", REFUSED],
  ["/pub/%00", REFUSED],
  ["/pub/x%00.png", REFUSED],
  ["/admin%00", REFUSED],
  ["/%00/admin", REFUSED],
  ["/pub/%01", REFUSED],
  ["/pub/%09", REFUSED],
  ["/pub/%0a", REFUSED],
  ["/pub/%0d%0ax-auth-sub:%20evil", REFUSED],
  ["/pub/%1f", REFUSED],
  ["/pub/%7f", REFUSED],
  ["/pub/%c2%80", REFUSED],
  ["/pub/%C2%85", REFUSED],
  ["/pub/%2500", REFUSED],
  // UTF-8
  ["/pub/%c3%a9", "/pub/%c3%a9"],
  ["/pub/\u00c3\u00a9", "/pub/%C3%A9"],
  ["/pub/%ff", REFUSED],
  ["/pub/%80", REFUSED],
  ["/pub/%c3", REFUSED],
  ["/pub/%c3%28", REFUSED],
  ["/pub/%ed%a0%80", REFUSED],
  ["/pub/%f4%90%80%80", REFUSED],
  ["/pub/%f8%88%80%80%80", REFUSED],
  ["/pub/%c1%a1dmin", REFUSED],
  // other characters
  ["/pub/%20x", "/pub/%20x"],
  ["/pub/a+b&c=d,e$f!g'h(i)j*k@l", "/pub/a+b&c=d,e$f!g'h(i)j*k@l"],
  ["/pub/%2b%26%3d%2c%24%21", "/pub/%2b%26%3d%2c%24%21"],
  ["/pub/%22%3c%3e%5b%5d%5e%60%7b%7c%7d", "/pub/%22%3c%3e%5b%5d%5e%60%7b%7c%7d"],
  ["/pub/:x", "/pub/:x"],
  ["/pub/*", "/pub/*"],
  // absolute-form targets
  ["http://api.example/pub/x", "/pub/x"],
  ["http://api.example/admin/x", FORBIDDEN],
  ["http://api.example/pub/../admin/x", FORBIDDEN],
  ["http://api.example/pub/%2e%2e/admin/x", FORBIDDEN],
  ["http://evil.example/admin/x", FORBIDDEN],
  ["https://api.example/admin/x", FORBIDDEN],
  ["http://user:password@api.example/admin/x", FORBIDDEN],
  ["http://api.example:80/admin/x", FORBIDDEN],
  ["http://api.example//admin/x", REFUSED],
  ["HTTP://API.EXAMPLE/admin/x", FORBIDDEN],
  ["http://api.example/%61dmin", FORBIDDEN],
  // another tenant's
  ["/t/acme/x", "/t/acme/x"],
  ["/t/acme", "/t/acme"],
  ["/t/acme/", "/t/acme/"],
  ["/t/%61cme/x", "/t/acme/x"],
  ["/t/globex/x", OTHERS],
  ["/t/%67lobex/x", OTHERS],
  ["/t/globe%78", OTHERS],
  ["/t/acme/../globex/x", OTHERS],
  ["/t/acme/%2e%2e/globex/x", OTHERS],
  ["/t/acme%2f..%2fglobex/x", REFUSED],
  ["/t/acme/%%32%65%%32%65/globex/x", REFUSED],
  ["/t/acme/..%5cglobex/x", REFUSED],
  ["/t/ACME/x", OTHERS],
  ["/t/acme%20/x", OTHERS],
  ["/t/%20acme/x", OTHERS],
  ["/t/acme%00/x", REFUSED],
  ["/t/acme,globex/x", OTHERS],
  ["/t/acme%2Cglobex/x", OTHERS],
  ["/t/acme;globex/x", REFUSED],
  ["/t//acme/x", REFUSED],
  ["/t//globex/x", REFUSED],
  ["/t/", "/t/"],
  ["/t", "/t"],
  // the gateway's own endpoints
  ["/.well-known/oauth-protected-resource", "200"],
  ["/.well-known/oauth-protected-resource/", "200"],
  ["/%2ewell-known/oauth-protected-resource", "200"],
  ["/.well-known/%6fauth-protected-resource", "200"],
  ["/pub/../.well-known/oauth-protected-resource", "200"],
  ["//.well-known/oauth-protected-resource", REFUSED],
  ["/.well-known//oauth-protected-resource", REFUSED],
];

describe("spellings of a path", () => {
  it.each(SPELLINGS)("%s -> %s", async (target, outcome) => {
    const seen = await send(target);
    expectHarmless(seen);
    const became =
      seen.targets[0]?.slice("/prod".length) ?? `${seen.response.status}${seen.code ? ` ${seen.code}` : ""}`;
    expect(became).toBe(outcome);
  });

  it("a target that is no path reaches nothing", async () => {
    for (const target of [
      "*",
      "admin/x",
      "pub/x",
      "?x",
      "#",
      "http:/admin/x",
      "http:admin/x",
      "http:\\\\api.example\\admin",
      "ftp://api.example/admin/x",
      "file:///admin/x",
      "//api.example/admin/x",
      "\\admin\\x",
      "/pub/x y",
      "/pub/\u00ff\u00fe",
      "/pub/\u0080",
      "/pub/\u0000",
      "/pub/\u0001",
      "/pub/\tx",
      "",
    ]) {
      const seen = await send(target).catch(() => undefined);
      if (seen === undefined) continue; // the connection was closed without an answer
      expectHarmless(seen);
      expect(seen.targets, target).toEqual([]);
      expect(seen.response.status, target).not.toBe(200);
    }
  });

  it("random spellings reach the origin only as what was decided on", async () => {
    const pieces = fc.array(fc.constantFrom(...PATH_PIECES), { minLength: 1, maxLength: 9 });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const seen = await send(`/${parts.join("")}`);
        expectHarmless(seen);
        expect([200, 400, 403]).toContain(seen.response.status);
      }),
      { numRuns: 400 },
    );
  });
});
