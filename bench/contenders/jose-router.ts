import { type IRequest, Router } from "itty-router";
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from "jose";
import type { Policy } from "../../src/core/policy/schema.ts";

/** What jose is to accept. */
export interface JoseEnv {
  readonly ISSUER: string;
  readonly CLIENT_ID: string;
  readonly KEYS: JSONWebKeySet;
}

/** Verifies a request's token with jose, against a key set that it has at hand; rejects where it does not hold. */
export function createJoseVerify(): (request: IRequest, env: JoseEnv) => Promise<JWTPayload> {
  let keySet: ReturnType<typeof createLocalJWKSet> | undefined;
  return async (request, env) => {
    keySet ??= createLocalJWKSet(env.KEYS);
    const token = (request.headers.get("authorization") ?? "").replace(/^bearer /i, "");
    const options = { issuer: env.ISSUER, audience: env.CLIENT_ID, algorithms: ["RS256"] };
    return (await jwtVerify(token, keySet, options)).payload;
  };
}

/** The answer to a token that does not hold. */
export const invalidToken = (): Response => Response.json({ error: "invalid_token" }, { status: 401 });

/** itty-router over a policy's routes, each with the handler of its pattern. */
export function routerOf<Env, Context>(
  { routes }: Policy,
  handlerOf: (pattern: string) => (request: IRequest, env: Env, context: Context) => Promise<Response>,
) {
  const router = Router();
  for (const { path, methods = ["GET"] } of routes)
    for (const method of methods) router[method.toLowerCase()]?.(path, handlerOf(path));
  router.all("*", () => Response.json({ error: "route_not_found" }, { status: 404 }));
  return {
    fetch: (request: Request, env: Env, context: Context) => router.fetch(request, env, context),
  };
}
