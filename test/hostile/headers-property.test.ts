import fc from "fast-check";
import { expect, it } from "vitest";
import { isPlain } from "../../src/core/header-item.ts";
import {
  editedHeaders,
  type ForwardingFacts,
  type Identity,
  requestHeadBytes,
  upstreamHeaders,
} from "../../src/core/http/upstream-headers.ts";
import type { Principal } from "../../src/core/principal.ts";
import { createDecider, sentLines } from "../support/decide.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { HOSTILE_NAMES, spell } from "./hostile-headers.ts";

const name = fc.oneof(
  fc.constantFrom(...HOSTILE_NAMES),
  fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/),
  fc.stringMatching(/^x[-_]auth[-_][a-z_-]{0,8}$/),
  fc.stringMatching(/^x[-_]forwarded[-_][a-z]{0,8}$/),
);
const value = fc.oneof(
  fc.constantFrom("evil", "globex", "acme", "x-custom, x-auth-sub", "close, X-Tenant-Id", "DELETE", "0"),
  fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,20}$/),
  fc.string({ maxLength: 8 }).map((text) => text.replace(/[^\u0080-\u00ff]/g, "\u00e9")),
);
const clientHeaders = fc
  .array(fc.tuple(name, fc.nat(), value), { maxLength: 12 })
  .map((lines) =>
    lines.map(([text, seed, content]): [string, string] => [spell(text, seed), content.trim()]),
  );

const claim = fc.oneof(
  fc.constantFrom(
    "acme",
    "ada",
    "admin",
    "a,b",
    "100%",
    "a b",
    "Zoë",
    "日本",
    "😀",
    "\ud800",
    "a\r\nx-auth-role: owner",
    "\u0000",
    "%2C",
  ),
  fc.string({ minLength: 1, maxLength: 12, unit: "binary" }),
);
const tenant = fc.oneof(fc.constant("acme"), fc.stringMatching(/^[\x21-\x2b\x2d-\x7e]{1,20}$/));
const principalOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Principal> =>
  fc.record({
    caller: fc.constantFrom("user" as const, "m2m" as const),
    sub: text,
    tokenUse: fc.constantFrom("id", "access"),
    clientId: fc.option(text, { nil: undefined }),
    exp: fc.constant(2),
    iat: fc.constant(1),
    nbf: fc.constant(undefined),
    resource: fc.constant(undefined),
    scopes: fc.array(text, { maxLength: 3 }),
    groups: fc.array(text, { maxLength: 3 }),
    username: fc.option(text, { nil: undefined }),
    tenantClaim: fc.option(tenant, { nil: undefined }),
    roleClaim: fc.option(text, { nil: undefined }),
    jti: fc.constant(undefined),
    originJti: fc.constant(undefined),
  });
const plain = fc.constantFrom("acme", "ada", "admin");
/** Claims that need no encoding and such that do; tenant and role are the claims, as a person's are, or others. */
const identity: fc.Arbitrary<Identity> = fc
  .tuple(fc.oneof(principalOf(plain), principalOf(claim)), fc.boolean(), tenant, claim)
  .map(([principal, areClaims, otherTenant, otherRole]) => ({
    principal,
    tenant: areClaims ? principal.tenantClaim : otherTenant,
    role: areClaims ? principal.roleClaim : otherRole,
    isPlain: isPlain(principal),
  }));
const facts: fc.Arbitrary<ForwardingFacts> = fc.record({
  requestId: fc.constant("request-0001"),
  clientIp: fc.option(fc.constant("203.0.113.7"), { nil: undefined }),
  scheme: fc.constant("https"),
  host: fc.constant("api.example"),
  originSecret: fc.option(fc.constant("the-secret"), { nil: undefined }),
  forwardAuthorization: fc.boolean(),
  keepTenantHeader: fc.boolean(),
});

/** Decodes one item as an origin would. */
const decodeItem = (text: string): string => decodeURIComponent(text);
const wellFormed = (text: string): string => text.toWellFormed();

it("whatever the client sends, identity is the verified one or absent, each header once", () => {
  fc.assert(
    fc.property(clientHeaders, fc.option(identity, { nil: undefined }), facts, (lines, who, given) => {
      const client = new Headers();
      for (const [text, content] of lines) client.append(text, content);
      const sent = editedHeaders(client, upstreamHeaders(client, who, given));
      const values = (wanted: string): string[] =>
        sent.filter(([text]) => text.replaceAll("_", "-") === wanted).map(([, content]) => content);
      const expectOnly = (wanted: string, expected: string | undefined): void => {
        expect(values(wanted), wanted).toEqual(expected === undefined ? [] : [expected]);
      };

      const identityNames = sent.map(([text]) => text).filter((text) => /^x[-_]auth[-_]/.test(text));
      expect(identityNames.every((text) => !text.includes("_"))).toBe(true);
      expect(new Set(identityNames).size).toBe(identityNames.length);
      if (who === undefined) expect(identityNames).toEqual([]);
      else {
        const { principal, tenant, role } = who;
        expectOnly("x-auth-caller", principal.caller);
        expectOnly("x-auth-token-use", principal.tokenUse);
        expectOnly("x-auth-tenant-id", tenant?.replace(/%/g, "%25"));
        const single = {
          sub: principal.sub,
          role,
          "client-id": principal.clientId,
          username: principal.username,
        };
        for (const [text, expected] of Object.entries(single))
          expect(values(`x-auth-${text}`).map(decodeItem), text).toEqual(
            expected ? [wellFormed(expected)] : [],
          );
        const groups = values("x-auth-groups").flatMap((text) => text.split(",").map(decodeItem));
        expect(groups).toEqual(principal.groups.map(wellFormed));
        const scopes = values("x-auth-scope").flatMap((text) => text.split(" ").map(decodeItem));
        expect(scopes).toEqual(principal.scopes.map(wellFormed));
        for (const text of identityNames)
          for (const content of values(text)) expect(content).toMatch(/^[\x20-\x7e]*$/);
      }

      const tenants = values("x-tenant-id");
      const verified = who?.tenant?.replace(/%/g, "%25");
      if (!given.keepTenantHeader) expect(tenants).toEqual(verified === undefined ? [] : [verified]);

      expectOnly("x-request-id", given.requestId);
      expectOnly("x-origin-secret", given.originSecret);
      expectOnly("x-forwarded-for", given.clientIp);
      expectOnly("x-forwarded-proto", given.scheme);
      expectOnly("x-forwarded-host", given.host);
      for (const [text] of sent) {
        const folded = text.replaceAll("_", "-");
        expect(folded).not.toMatch(/^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade)$/);
        expect(folded).not.toMatch(
          /^(?:proxy-.*|forwarded|x-http-method-override|x-http-method|x-method-override)$/,
        );
        expect(folded).not.toMatch(/^x-forwarded-(?!for$|proto$|host$)/);
      }
      if (!given.forwardAuthorization) expectOnly("authorization", undefined);
      const named = (client.get("connection") ?? "").split(",").map((text) => text.trim().toLowerCase());
      const ours = /^x-(?:auth-|tenant-id|request-id|origin-secret|forwarded-)/;
      for (const text of named) if (!ours.test(text)) expect(sent.map(([own]) => own)).not.toContain(text);
    }),
    { numRuns: 3_000 },
  );
});

it("refuses a request from 10,241 bytes of head on, and forwards one of 10,240", async () => {
  const now = 1_800_000_000;
  const issuer = "https://cognito.example/us-east-2_A";
  const key = await createSigningKey("k1");
  const decider = createDecider({ pools: [{ issuer, keys: () => [key.jwk] }], now: () => now * 1000 });
  const token = await sign(key, idClaims(issuer, now, { "cognito:username": "Zoë, 100 %" }));
  const decide = (padding: number) =>
    decider.decide({
      method: "POST",
      url: "https://api.example/v1/x?y=%zz",
      headers: {
        authorization: `Bearer ${token}`,
        "x-padding": "p".repeat(padding),
        "x-request-id": "request-0001",
      },
    });
  const small = await decide(0);
  if (small.kind !== "forward") throw new Error(small.kind);
  const client = { authorization: `Bearer ${token}`, "x-padding": "" };
  const sent = sentLines(small, client);
  const lines = sent.map(([name, value]) => `${name}: ${value}\r\n`);
  const head = ["POST /prod/v1/x?y=%zz HTTP/1.1\r\n", "host: origin.example\r\n", ...lines].join("");
  expect(requestHeadBytes("POST", "/prod/v1/x?y=%zz", "origin.example", sent)).toBe(Buffer.byteLength(head));
  const room = 10_240 - Buffer.byteLength(head);
  expect((await decide(room)).kind).toBe("forward");
  expect(await decide(room + 1)).toMatchObject({ kind: "refuse", refusal: { code: "headers_too_large" } });
});
