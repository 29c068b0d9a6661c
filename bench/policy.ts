import type { Policy } from "../src/core/policy/schema.ts";

/** Where every measured request goes: the last route of the table. */
export const TARGET = "/v1/orders/o-20261124-000042/lines?page=2";
const LAST = { path: "/v1/orders/:orderId/*", methods: ["GET", "POST"], role: "viewer" } as const;

const RESOURCES = ["invoices", "tickets", "agents", "reports", "webhooks", "members", "files", "calls"];

/** A table of `count` routes, as an API's own would be: by resource and method, the measured one last. */
export function policyOf(count: number): Policy {
  const routes = Array.from({ length: count - 1 }, (_, index) => {
    const resource = RESOURCES[index % RESOURCES.length];
    const path = `/v1/area${Math.floor(index / RESOURCES.length)}/${resource}/:id`;
    return { path, methods: index % 2 === 0 ? ["GET"] : ["PUT", "DELETE"], role: "viewer" };
  });
  return { roles: ["viewer", "agent", "admin", "owner"], m2mScope: "zen/m2m", routes: [...routes, LAST] };
}
