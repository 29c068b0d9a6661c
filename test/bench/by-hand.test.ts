import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { headersOf } from "../../bench/headers.ts";
import { TARGET } from "../../bench/policy.ts";
import { byHand, gatewayBindings, gatewayEntry } from "../../bench/requests.ts";
import { createSigner, idToken, type Signer } from "../../bench/tokens.ts";
import { type BenchWorker, type BenchWorkerOptions, bundle, startWorker } from "../../bench/workerd.ts";
import { startServer, type TestServer } from "../support/servers.ts";

const REQUEST_ID = "5f1c2d3e-0000-4000-8000-000000000001";
let signer: Signer;
let origin: TestServer;

interface Contender {
  readonly worker: BenchWorker;
  /** What it has written to its log. */
  log: string;
}

let gateway: Contender;
let hand: Contender;

/** Tells of each signature check, in a line before the request's own. */
const TELL_CHECKS = `{ const { verify } = SubtleCrypto.prototype;
SubtleCrypto.prototype.verify = function (...given) { console.log("check"); return verify.apply(this, given); }; }`;

async function start(options: BenchWorkerOptions): Promise<Contender> {
  let contender: Contender | undefined;
  const onLog = (written: string): void => {
    if (contender !== undefined) contender.log += written;
  };
  contender = {
    worker: await startWorker({ ...options, script: TELL_CHECKS + options.script, onLog }),
    log: "",
  };
  return contender;
}

beforeAll(async () => {
  signer = await createSigner();
  origin = await startServer((asked, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(asked.url === "/jwks.json" ? signer.jwks : { ok: true }));
  });
  const atOrigin = { url: origin.url, close: () => undefined };
  gateway = await start({ script: await bundle(gatewayEntry(50)), ...gatewayBindings(atOrigin) });
  hand = await start(await byHand(atOrigin, signer.jwks));
});

afterAll(() => Promise.all([gateway.worker.close(), hand.worker.close(), origin.close()]));

/** All that the outside sees of a request: what the origin gets, what the client gets, what is logged. */
async function seen(contender: Contender, token: string) {
  contender.log = "";
  const headers = [...headersOf(token, "browser"), ["x-request-id", REQUEST_ID]];
  const asked = request(`${contender.worker.url}${TARGET}`, { headers: Object.fromEntries(headers) });
  asked.removeHeader("connection"); // Cloudflare hands on none
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const body = await text(response);
  const { date: _date, ...answered } = response.headers;
  await vi.waitFor(() => expect(contender.log).toMatch(/\}\n$/));
  const lines = contender.log.trim().split("\n");
  const line = JSON.parse(lines.at(-1) ?? "") as Record<string, unknown>;
  const { rawHeaders, target, method } = origin.last();
  return {
    sent: { method, target, headers: rawHeaders.toSorted().map((header) => header.join(": ")) },
    answered: { status: response.statusCode, headers: answered, body },
    checks: lines.length - 1,
    logged: { ...line, edge_ms: typeof line["edge_ms"], origin_ms: typeof line["origin_ms"] },
  };
}

describe("the gateway by hand, which whole requests have as their floor", () => {
  it("does for a first-seen and a known token what the gateway does", async () => {
    const token = await idToken(signer, Math.floor(Date.now() / 1000) - 60);
    const expected = await seen(gateway, await idToken(signer, Math.floor(Date.now() / 1000) - 60));
    expect(expected.answered.status).toBe(200); // and the gateway has its keys from here on
    for (const time of ["first", "second", "third"]) {
      const found = await seen(hand, token);
      expect(found, time).toEqual(await seen(gateway, token));
      expect(found.checks, time).toBe(time === "first" ? 1 : 0);
      expect(found.sent.headers).toContain("x-auth-tenant-id: acme");
      expect(found.logged).toMatchObject({ jwks: "memory", tenant: "acme", origin_ms: "number" });
    }
  });

  it("does not let a forged token pass, nor one of an unknown key, which changes nothing for others", async () => {
    const token = await idToken(signer, Math.floor(Date.now() / 1000) - 60);
    const stranger = await idToken(await createSigner(), Math.floor(Date.now() / 1000) - 60);
    const forged = token.slice(0, token.lastIndexOf(".")) + stranger.slice(stranger.lastIndexOf("."));
    const [, payload, signature] = token.split(".");
    const header = Buffer.from('{"kid":"unknown","alg":"RS256"}').toString("base64url");
    const before = origin.received.length;
    for (const bad of [forged, [header, payload, signature].join(".")]) {
      const headers = { authorization: `Bearer ${bad}`, "cf-connecting-ip": "203.0.113.7" };
      expect((await fetch(`${hand.worker.url}${TARGET}`, { headers })).status).toBe(401);
    }
    expect(origin.received).toHaveLength(before);
    expect((await seen(hand, token)).answered.status).toBe(200);
  });
});
