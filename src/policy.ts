import { definePolicy } from "./index.ts";

/** The routes of the API, the same in every environment. The first route that matches wins. */
export default definePolicy({
  roles: ["viewer", "agent", "admin", "owner"],
  m2mScope: "zen/m2m",
  routes: [
    { path: "/v1/webchat/messages", methods: ["POST"], access: "public", cors: ["*"] },
    { path: "/v1/tenants/:tenantId/*", role: "admin", tenantParam: "tenantId" },
    { path: "/v1/reports/*", methods: ["GET"], role: "viewer" },
    { path: "/v1/*" },
  ],
});
