import { CognitoJwtVerifier } from "aws-jwt-verify";
import { Hono } from "hono";
import { jwk } from "hono/jwk";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { decodeBase64url } from "../src/core/token/base64url.ts";
import { decodeToken } from "../src/core/token/bearer.ts";
import { type CoreBench, createCoreBench } from "./core-bench.ts";
import { createByHand } from "./decide-by-hand.ts";
import { createFloor } from "./floor.ts";
import { CLIENT_ID, ISSUER, POOL_ID } from "./pool.ts";
import { fail, type Task } from "./task.ts";
import { createVerificationsByHand } from "./verify-by-hand.ts";

/** What the driver sends once: the key set and the tokens of each workload. */
export interface BenchTokens {
  readonly jwks: JSONWebKeySet;
  readonly tokens: Readonly<Record<string, readonly string[]>>;
}

/** The floor: nothing but the signature, with everything that it needs at hand. */
async function createBare({ jwks, tokens }: BenchTokens): Promise<Task> {
  const keyJwk = jwks.keys[0] ?? fail("no key");
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", keyJwk, algorithm, false, ["verify"]);
  const decoded = (tokens["first"] ?? []).map((token) => {
    const parts = decodeToken(token);
    if ("code" in parts) return fail(parts.code);
    const signature = decodeBase64url(parts.signature) ?? fail("no signature");
    return { signature, signingInput: new TextEncoder().encode(parts.signingInput) };
  });
  return async (count) => {
    for (let index = 0; index < count; index += 1) {
      const { signature, signingInput } = decoded[index % decoded.length] ?? fail("no token");
      if (!(await crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, signature, signingInput)))
        fail("a good token was refused");
    }
  };
}

/** One verification after the other; `refused` expects each of them to throw. */
function each(
  tokens: readonly string[],
  verify: (token: string) => Promise<unknown>,
  outcome: "accepted" | "refused",
): Task {
  return async (count) => {
    for (let index = 0; index < count; index += 1) {
      const token = tokens[index % tokens.length] ?? fail("no token");
      const accepted = await verify(token).then(
        () => true,
        () => false,
      );
      if (accepted !== (outcome === "accepted")) fail(`not ${outcome}`);
    }
  };
}

/** A Hono app, with or without its jwk middleware: the difference is what the middleware costs. */
function createHono(tokens: readonly string[], keys: JSONWebKeySet["keys"] | undefined): Task {
  const app = new Hono();
  const verification = { iss: ISSUER, aud: CLIENT_ID };
  if (keys !== undefined)
    app.use(
      "/*",
      jwk({ keys: keys as Parameters<typeof jwk>[0]["keys"] & object, alg: ["RS256"], verification }),
    );
  app.get("/orders", (context) => context.body(null, 200));
  return async (count) => {
    for (let index = 0; index < count; index += 1) {
      const headers = { authorization: `Bearer ${tokens[index % tokens.length]}` };
      const response = await app.fetch(new Request("https://api.example.com/orders", { headers }));
      if (response.status !== 200) fail(`Hono answered ${response.status}`);
    }
  };
}

async function createTasks(bench: BenchTokens): Promise<Readonly<Record<string, Task>>> {
  const { jwks, tokens } = bench;
  const of = (name: string): readonly string[] => tokens[name] ?? fail(`no tokens for ${name}`);

  const keySet = createLocalJWKSet(jwks);
  const options = { issuer: ISSUER, audience: CLIENT_ID, algorithms: ["RS256"] };
  const jose = (token: string) => jwtVerify(token, keySet, options);

  const cognito = CognitoJwtVerifier.create({ userPoolId: POOL_ID, tokenUse: "id", clientId: CLIENT_ID });
  cognito.cacheJwks(jwks as unknown as Parameters<typeof cognito.cacheJwks>[0]);
  const aws = (token: string) => cognito.verify(token);

  const core: CoreBench = await createCoreBench(bench);
  const known = of("known").slice(0, 1_000);
  return {
    empty: () => undefined,
    bare: await createBare(bench),
    "jose first": each(of("first"), jose, "accepted"),
    "aws first": each(of("first"), aws, "accepted"),
    "hono first": createHono(of("first"), jwks.keys),
    "hono empty": createHono(of("first"), undefined),
    "jose junk": each(of("junk"), jose, "refused"),
    "aws junk": each(of("junk"), aws, "refused"),
    "jose forged": each(of("forged"), jose, "refused"),
    "aws forged": each(of("forged"), aws, "refused"),
    "jose expired": each(of("expired"), jose, "refused"),
    "aws expired": each(of("expired"), aws, "refused"),
    "floor junk": createFloor(of("junk")),
    "by-hand verify first": await createVerificationsByHand(jwks.keys[0] ?? fail("no key"), of("first")),
    "by-hand known 1 api": await createByHand(of("known").slice(0, 1), core),
    [`by-hand known ${known.length} api`]: await createByHand(known, core),
    ...core.tasks,
  };
}

let tasks: Readonly<Record<string, Task>> = {};

export default {
  /** `POST /` brings the tokens; `GET /?task=NAME&count=N` runs a task so many times. */
  async fetch(request: Request): Promise<Response> {
    if (request.method === "POST") {
      tasks = await createTasks(await request.json());
      return Response.json(Object.keys(tasks));
    }
    const { searchParams } = new URL(request.url);
    const task = tasks[searchParams.get("task") ?? ""];
    if (task === undefined) return new Response("no such task", { status: 404 });
    await task(Number(searchParams.get("count")));
    return new Response("done");
  },
};
