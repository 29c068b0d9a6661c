import type { IRequest } from "itty-router";
import type { Policy } from "../../src/core/policy/schema.ts";
import { createJoseVerify, invalidToken, type JoseEnv, routerOf } from "./jose-router.ts";

/** A Worker, as far as it is called here. */
interface Gateway {
  fetch(request: IRequest, env: JoseEnv, context: object): Response | Promise<Response>;
}

/**
 * The gateway itself, where itty-router finds the route and jose verifies the token anew in each request: what the
 * two cost a Worker that owes as much as the gateway does. Its own look-ups go on behind them; they are about a
 * hundredth of it.
 */
export function createJoseBefore(policy: Policy, gateway: Gateway) {
  const verify = createJoseVerify();

  async function handle(request: IRequest, env: JoseEnv, context: object): Promise<Response> {
    try {
      await verify(request, env);
    } catch {
      return invalidToken();
    }
    return gateway.fetch(request, env, context);
  }

  return routerOf(policy, () => handle);
}
