import type { IRequest } from "itty-router";
import type { JWTPayload } from "jose";
import type { Policy } from "../../src/core/policy/schema.ts";
import { createJoseVerify, invalidToken, type JoseEnv, routerOf } from "./jose-router.ts";

interface Env extends JoseEnv {
  readonly ORIGIN_URL: string;
}

/**
 * What one writes by hand with the two libraries, each used as its documentation shows: jose verifies every
 * request's token against a key set that it has at hand, itty-router goes through the routes, identity headers are set,
 * one line is logged. It checks less than the gateway: no canonical paths, no tenant header, no header budget,
 * no time limit.
 */
export function createJoseItty(policy: Policy) {
  const verify = createJoseVerify();

  const forward =
    (pattern: string) =>
    async (request: IRequest, env: Env): Promise<Response> => {
      const startedAtMs = Date.now();
      let claims: JWTPayload;
      try {
        claims = await verify(request, env);
      } catch {
        return invalidToken();
      }
      const requestId = crypto.randomUUID();
      const tenant = String(claims["custom:tenant_id"]);
      const headers = new Headers(request.headers);
      headers.set("x-request-id", requestId);
      headers.set("x-auth-sub", String(claims.sub));
      headers.set("x-auth-tenant-id", tenant);
      headers.set("x-tenant-id", tenant);
      headers.set("x-auth-role", String(claims["custom:role"]));
      const { pathname, search } = new URL(request.url);
      const response = await fetch(env.ORIGIN_URL + pathname + search, {
        method: request.method,
        headers,
        redirect: "manual",
      });
      const { status } = response;
      const line = { event: "decision", request_id: requestId, method: request.method, route: pattern };
      console.log(
        JSON.stringify({ ...line, status, sub: claims.sub, tenant, edge_ms: Date.now() - startedAtMs }),
      );
      return new Response(response.body, response);
    };

  return routerOf(policy, forward);
}
