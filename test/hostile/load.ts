import { readdirSync, readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { buffer, text } from "node:stream/consumers";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startCognito, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";

const TENANTS = ["acme", "globex", "initech", "umbrella", "hooli"];
const APP = "https://app.example";
const POLICY = {
  roles: ["viewer", "admin"],
  m2mScope: "zen/m2m",
  routes: [
    { path: "/pub/*", access: "public" },
    { path: "/v1/tenants/:tenantId/*", tenantParam: "tenantId" },
    { path: "/v1/admin/*", role: "admin" },
    { path: "/v1/closed/*", access: "deny" },
    { path: "/v1/*" },
  ],
};

/** What the origin answers: whom it was told about, and what it got. */
interface Echo {
  readonly sub: string | null;
  readonly tenant: string | null;
  readonly caller: string | null;
  readonly requestId: string;
  readonly method: string;
  readonly target: string;
  readonly bodyLength: number;
}

/** A request, and the only answer to it that is right. */
interface Case {
  readonly kind: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly status: number;
  readonly error?: string;
  /** Only Cognito can tell: where it did not answer in its three seconds, 503 is the right answer. */
  readonly mayBeOutage?: boolean;
  /** For what is forwarded: what the origin has to have seen. */
  readonly echo?: Partial<Echo>;
}

/** What a run has found. */
export interface LoadReport {
  readonly requests: number;
  readonly seconds: number;
  /** Answers by kind of request; each has been checked. */
  readonly answers: Record<string, number>;
  /** Answers that were wrong, the first ones in full. */
  readonly wrong: string[];
  /**
   * Resident memory of the workerd process: at the start, and after each tenth of the requests. V8 collects late:
   * with a Worker that does nothing but forward, it grows to 600 MB within 50,000 requests and stays there.
   */
  readonly megabytes: readonly number[];
  /** Lines of the log that are no decision of a request of ours, and tell of no outage. */
  readonly strayLines: string[];
  /** Fetches of keys that did not end in time: on a busy machine this process has no time for its stand-in. */
  readonly outages: number;
  /** Requests for which Cognito would have had to be asked meanwhile, and that were told so. */
  readonly toldOfOutage: number;
  readonly decisions: number;
}

/** A generator of numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface World {
  readonly gateway: TestGateway;
  readonly servers: readonly TestServer[];
  readonly key: SigningKey;
  readonly issuer: string;
  readonly people: readonly { token: string; sub: string; tenant: string; role: string }[];
  readonly machines: readonly { token: string; sub: string; tenants: readonly string[] }[];
  readonly expired: readonly string[];
  readonly foreign: readonly string[];
}

async function startEcho(): Promise<TestServer> {
  const server = await startServer(() => undefined);
  server.handler = async (request, response) => {
    const body = await buffer(request).catch(() => Buffer.alloc(0));
    const header = (name: string): string | null => {
      const value = request.headers[name];
      return typeof value === "string" ? value : null;
    };
    const echo: Echo = {
      sub: header("x-auth-sub"),
      tenant: header("x-auth-tenant-id"),
      caller: header("x-auth-caller"),
      requestId: header("x-request-id") ?? "",
      method: request.method ?? "",
      target: request.url ?? "",
      bodyLength: body.length,
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(echo));
  };
  return server;
}

async function createWorld(): Promise<World> {
  const [key, stranger] = await Promise.all([createSigningKey("k1"), createSigningKey("k1")]);
  const [origin, cognito] = await Promise.all([startEcho(), startCognito(() => [key.jwk])]);
  const issuer = `${cognito.url}/us-east-2_Load1`;
  const gateway = await startGateway({
    policy: POLICY,
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    verbose: true,
    vars: {
      ORIGIN_URL: origin.url,
      CORS_ORIGINS: [APP],
      USER_POOLS: [
        {
          id: "us-east-2_Load1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  const now = Math.floor(Date.now() / 1000);
  const tenantAt = (index: number): string => TENANTS[index % TENANTS.length] ?? "acme";
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  const people = await Promise.all(
    numbers(200).map(async (index) => {
      const [sub, tenant, role] = [`person-${index}`, tenantAt(index), index % 3 === 0 ? "admin" : "viewer"];
      const claims = idClaims(issuer, now, { sub, "custom:tenant_id": tenant, "custom:role": role });
      return { token: await sign(key, claims), sub, tenant, role };
    }),
  );
  const lists = await gateway.kv("M2M_TENANTS");
  const machines = await Promise.all(
    numbers(20).map(async (index) => {
      const [sub, tenants] = [`machine-${index}`, [tenantAt(index), tenantAt(index + 1)]];
      await lists.put(sub, JSON.stringify({ tenants }));
      return { token: await sign(key, machineClaims(issuer, now, { sub, client_id: sub })), sub, tenants };
    }),
  );
  const old = numbers(20).map((index) => idClaims(issuer, now - 7_200, { sub: `person-${index}` }));
  const [expired, foreign] = await Promise.all([
    Promise.all(old.map((claims) => sign(key, claims))),
    Promise.all(
      numbers(20).map((index) => sign(stranger, idClaims(issuer, now, { sub: `person-${index}` }))),
    ),
  ]);
  await gateway.fetch("/v1/first", { headers: bearer(people[0]?.token ?? "") }); // health is 503 before there are keys
  return { gateway, servers: [origin, cognito], key, issuer, people, machines, expired, foreign };
}

type Maker = (world: World, random: () => number, id: string) => Case | Promise<Case>;

const pick = <T>(items: readonly T[], random: () => number): T => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const refused = (status: number, error: string) => ({ status, error });
/** The token with another last byte of its signature than any before. */
const spoil = (token: string, random: () => number): string => {
  const at = token.length - 20 - Math.floor(random() * 300);
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
};

const MAKERS: Readonly<Record<string, Maker>> = {
  person({ people }, random, id) {
    const { token, sub, tenant } = pick(people, random);
    const path = `/v1/items/${id}?q=${Math.floor(random() * 1000)}`;
    const echo = { sub, tenant, caller: "user", target: path, method: "GET", bodyLength: 0 };
    return { kind: "person", method: "GET", path, headers: bearer(token), status: 200, echo };
  },
  upload({ people }, random, id) {
    const { token, sub, tenant } = pick(people, random);
    const body = "x".repeat(Math.floor(random() * 20_000));
    const echo = { sub, tenant, method: "POST", bodyLength: body.length };
    return {
      kind: "upload",
      method: "POST",
      path: `/v1/items/${id}`,
      headers: bearer(token),
      body,
      status: 200,
      echo,
    };
  },
  spoofer({ people }, random, id) {
    const { token, sub, tenant } = pick(people, random);
    const headers = {
      ...bearer(token),
      "x-auth-sub": "evil",
      x_auth_tenant_id: "evil",
      "x-auth-caller": "m2m",
    };
    return {
      kind: "spoofer",
      method: "GET",
      path: `/v1/${id}`,
      headers,
      status: 200,
      echo: { sub, tenant, caller: "user" },
    };
  },
  machine({ machines }, random, id) {
    const { token, sub, tenants } = pick(machines, random);
    const tenant = pick(TENANTS, random);
    const headers = { ...bearer(token), "x-tenant-id": tenant };
    const request = { kind: "machine", method: "GET", path: `/v1/${id}`, headers };
    return tenants.includes(tenant)
      ? { ...request, status: 200, echo: { sub, tenant, caller: "m2m" } }
      : { ...request, ...refused(403, "tenant_not_allowed") };
  },
  tenantPath({ people }, random, id) {
    const { token, sub, tenant } = pick(people, random);
    const named = pick(TENANTS, random);
    const request = {
      kind: "tenantPath",
      method: "GET",
      path: `/v1/tenants/${named}/${id}`,
      headers: bearer(token),
    };
    return named === tenant
      ? { ...request, status: 200, echo: { sub, tenant } }
      : { ...request, ...refused(403, "tenant_mismatch") };
  },
  role({ people }, random, id) {
    const { token, sub, role } = pick(people, random);
    const request = { kind: "role", method: "GET", path: `/v1/admin/${id}`, headers: bearer(token) };
    return role === "admin"
      ? { ...request, status: 200, echo: { sub } }
      : { ...request, ...refused(403, "insufficient_role") };
  },
  async unique({ key, issuer }, _random, id) {
    const token = await sign(key, idClaims(issuer, Math.floor(Date.now() / 1000), { sub: `unique-${id}` }));
    return {
      kind: "unique",
      method: "GET",
      path: `/v1/${id}`,
      headers: bearer(token),
      status: 200,
      echo: { sub: `unique-${id}`, tenant: "acme" },
    };
  },
  spoilt: ({ people }, random, id) => ({
    kind: "spoilt",
    method: "GET",
    path: `/v1/${id}`,
    headers: bearer(spoil(pick(people, random).token, random)),
    ...refused(401, "invalid_signature"),
  }),
  foreign: ({ foreign }, random, id) => ({
    kind: "foreign",
    method: "GET",
    path: `/v1/${id}`,
    headers: bearer(pick(foreign, random)),
    ...refused(401, "invalid_signature"),
  }),
  inventedKid({ people }, random, id) {
    const header = Buffer.from(JSON.stringify({ kid: `invented-${id}`, alg: "RS256" })).toString("base64url");
    const { token } = pick(people, random);
    const headers = bearer(header + token.slice(token.indexOf(".")));
    return {
      kind: "inventedKid",
      method: "GET",
      path: `/v1/${id}`,
      headers,
      mayBeOutage: true,
      ...refused(401, "invalid_signature"),
    };
  },
  expired: ({ expired }, random, id) => ({
    kind: "expired",
    method: "GET",
    path: `/v1/${id}`,
    headers: bearer(pick(expired, random)),
    ...refused(401, "token_expired"),
  }),
  malformed: (_world, random, id) => ({
    kind: "malformed",
    method: "GET",
    path: `/v1/${id}`,
    headers: bearer(pick(["x", "a.b", "a.b.c.d", "e30.e30.AA=", `${"A".repeat(9_000)}.A.A`], random)),
    ...refused(401, "malformed_token"),
  }),
  anonymous: (_world, _random, id) => ({
    kind: "anonymous",
    method: "GET",
    path: `/v1/${id}`,
    headers: {},
    ...refused(401, "missing_token"),
  }),
  public: (_world, _random, id) => ({
    kind: "public",
    method: "GET",
    path: `/pub/${id}`,
    headers: { "x-auth-sub": "evil" },
    status: 200,
    echo: { sub: null, tenant: null, caller: null, target: `/pub/${id}` },
  }),
  badPath: ({ people }, random) => ({
    kind: "badPath",
    method: "GET",
    path: pick(["/v1//x", "/v1/%2f", "/v1/x;y", "/v1/%00", "/v1/%zz", "/v1/%c0%af"], random),
    headers: bearer(pick(people, random).token),
    ...refused(400, "invalid_path"),
  }),
  unknown: ({ people }, random, id) => ({
    kind: "unknown",
    method: "GET",
    path: `/v2/${id}`,
    headers: bearer(pick(people, random).token),
    ...refused(404, "route_not_found"),
  }),
  denied: ({ people }, random, id) => ({
    kind: "denied",
    method: "DELETE",
    path: `/v1/closed/${id}`,
    headers: bearer(pick(people, random).token),
    ...refused(403, "route_denied"),
  }),
  preflight: (_world, _random, id) => ({
    kind: "preflight",
    method: "OPTIONS",
    path: `/v1/${id}`,
    headers: { origin: APP, "access-control-request-method": "POST" },
    status: 204,
  }),
  health: () => ({
    kind: "health",
    method: "GET",
    path: "/.well-known/edge-authorizer/health",
    headers: {},
    status: 200,
  }),
};
const KINDS = Object.keys(MAKERS);
/** Kinds as they come: people most of all, a signature of our own only now and then. */
const MIX = KINDS.flatMap((kind) =>
  new Array<string>({ person: 12, machine: 4, unique: 1 }[kind] ?? 2).fill(kind),
);

interface Reply {
  readonly status: number;
  readonly requestId: string | undefined;
  readonly body: string;
}

function exchange(agent: Agent, base: URL, given: Case, id: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { ...given.headers, "x-request-id": id };
    const options = {
      agent,
      host: base.hostname,
      port: base.port,
      method: given.method,
      path: given.path,
      headers,
    };
    const request = httpRequest(options, (response) => {
      const requestId = response.headers["x-request-id"];
      text(response).then(
        (body) =>
          resolve({
            status: response.statusCode ?? 0,
            requestId: typeof requestId === "string" ? requestId : undefined,
            body,
          }),
        reject,
      );
    });
    request.on("error", reject);
    request.end(given.body);
  });
}

const isOutage = (given: Case, { status, body }: Reply): boolean =>
  given.mayBeOutage === true && status === 503 && body.includes('"error":"jwks_unavailable"');

/** What is wrong with a reply; undefined: nothing. */
function faultOf(given: Case, reply: Reply, id: string): string | undefined {
  if (reply.status !== given.status) return `status ${reply.status} instead of ${given.status}`;
  if (reply.requestId !== id) return `the id of another request: ${reply.requestId}`;
  if (given.error !== undefined) {
    const body = JSON.parse(reply.body) as Record<string, unknown>;
    if (body["error"] !== given.error) return `${body["error"]} instead of ${given.error}`;
    if (body["request_id"] !== id) return `the id of another request in the body: ${body["request_id"]}`;
  }
  if (given.echo !== undefined) {
    const echo = JSON.parse(reply.body) as Echo;
    for (const [name, expected] of Object.entries({ ...given.echo, requestId: id }))
      if (echo[name as keyof Echo] !== expected)
        return `${name} ${echo[name as keyof Echo]} instead of ${expected}`;
  }
  return undefined;
}

/** Ids of the workerd processes that this one has started. */
function workerdPids(): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      return /^Name:\s+workerd$/m.test(status) && status.includes(`PPid:\t${process.pid}\n`)
        ? [Number(name)]
        : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1024;

/** Drives `requests` mixed requests through the bundle in workerd and checks every single answer. */
export async function runLoad(requests: number, concurrency = 64, seed = 1): Promise<LoadReport> {
  const before = new Set(workerdPids());
  const world = await createWorld();
  const pid = workerdPids().find((each) => !before.has(each));
  if (pid === undefined) throw new Error("no workerd process was found");
  const base = new URL(world.gateway.url);
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const random = createRandom(seed);
  const answers: Record<string, number> = {};
  const wrong: string[] = [];
  const sent = new Set<string>();
  let next = 0;
  let toldOfOutage = 0;

  async function drive(until: number): Promise<void> {
    while (next < until) {
      const id = `load-${String(next).padStart(8, "0")}`;
      next += 1;
      const kind = pick(MIX, random);
      const given = await (MAKERS[kind] ?? MAKERS["anonymous"])?.(world, random, id);
      if (given === undefined) throw new Error(kind);
      sent.add(id);
      const reply = await exchange(agent, base, given, id).catch((error: Error) => error);
      const isTold = !(reply instanceof Error) && isOutage(given, reply);
      if (isTold) toldOfOutage += 1;
      const fault = reply instanceof Error ? reply.message : isTold ? undefined : faultOf(given, reply, id);
      if (fault !== undefined && wrong.push(`${given.kind} ${given.method} ${given.path}: ${fault}`) > 20)
        return;
      answers[kind] = (answers[kind] ?? 0) + 1;
    }
  }
  const driveAll = (until: number) => Promise.all(Array.from({ length: concurrency }, () => drive(until)));

  try {
    const megabytes = [residentMegabytes(pid)];
    const startedAt = performance.now();
    for (let tenth = 1; tenth <= 10; tenth += 1) {
      await driveAll(Math.floor((requests * tenth) / 10));
      megabytes.push(residentMegabytes(pid));
    }
    const seconds = (performance.now() - startedAt) / 1000;
    for (let wait = 0; wait < 50 && world.gateway.decisions().length < next; wait += 1)
      await new Promise((resolve) => setTimeout(resolve, 200)); // the last lines of the log
    await new Promise((resolve) => setTimeout(resolve, 200)); // and any that should not be there
    const { output } = world.gateway;
    const decided = world.gateway.decisions().map((line) => String(line["request_id"]));
    return {
      requests: next,
      seconds: Math.round(seconds * 10) / 10,
      answers,
      wrong,
      megabytes: megabytes.map(Math.round),
      strayLines: output
        .filter((line) => !/^\{"event":"(?:decision|jwks_fetch_failed)"/.test(line))
        .slice(0, 20),
      outages: world.gateway.logs.filter(({ event }) => event === "jwks_fetch_failed").length,
      toldOfOutage,
      decisions: new Set(decided.filter((id) => sent.has(id))).size,
    };
  } finally {
    agent.destroy();
    await world.gateway.close();
    await Promise.all(world.servers.map((server) => server.close()));
  }
}

/** Throws where a run was not flawless. Memory may grow by so much in the second half, when V8 has its heap. */
export function expectFlawless(report: LoadReport, growthMegabytes: number): void {
  const faults = [...report.wrong, ...report.strayLines.map((line) => `stray line: ${line}`)];
  if (report.decisions !== report.requests) faults.push(`${report.decisions} decisions in the log`);
  if (report.toldOfOutage > 0 && report.outages === 0) faults.push("503 without an outage in the log");
  const growth = (report.megabytes.at(-1) ?? 0) - (report.megabytes[5] ?? 0);
  if (growth > growthMegabytes) faults.push(`memory has grown by ${growth} MB in the second half`);
  if (faults.length > 0) throw new Error(faults.join("\n"));
}

if (import.meta.main) {
  const report = await runLoad(Number(process.env["LOAD_REQUESTS"] ?? 100_000));
  console.log(JSON.stringify(report, null, 2));
  expectFlawless(report, 100);
}
