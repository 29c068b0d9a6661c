import type { AppClient, Directory, Person } from "./cognito-directory.ts";

/** Id of the local user pool, in the form that Cognito's ids have. */
export const POOL_ID = "us-east-2_LocalDev1";

/** The public app client of people. */
export const WEB_APP: AppClient = {
  clientId: "web_app",
  scopes: ["openid", "profile", "email", "zen/reports.read"],
};

const MACHINE_SCOPES = ["zen/m2m", "zen/reports.read"];

const machine = (clientId: string): AppClient => ({
  clientId,
  secret: `local_secret_of_${clientId}`,
  scopes: MACHINE_SCOPES,
});

const person = (
  username: string,
  id: number,
  groups: readonly string[],
  attributes: Person["attributes"],
): Person => ({
  username,
  sub: `a1b2c3d4-0000-4000-8000-${String(id).padStart(12, "0")}`,
  email: `${username}@example.com`,
  groups,
  attributes,
});

/** The people and app clients of the local user pool. `nomad` belongs to no tenant. */
export const DIRECTORY: Directory = {
  people: [
    person("ada", 1, ["admins"], { "custom:tenant_id": "acme", "custom:role": "admin" }),
    person("vic", 2, [], { "custom:tenant_id": "acme", "custom:role": "viewer" }),
    person("olu", 3, [], { "custom:tenant_id": "globex", "custom:role": "owner" }),
    person("nomad", 4, [], {}),
  ],
  clients: [
    WEB_APP,
    machine("acme_agent"),
    machine("roaming_agent"),
    machine("disabled_agent"),
    machine("unlisted_agent"),
  ],
};

/** A document of KV `M2M_TENANTS`. */
export interface AllowListDocument {
  readonly tenants: readonly string[];
  readonly role?: string;
  readonly disabled?: boolean;
}

/** What KV `M2M_TENANTS` holds at the start, by `client_id`. `unlisted_agent` is missing on purpose. */
export const ALLOW_LISTS: Readonly<Record<string, AllowListDocument>> = {
  acme_agent: { tenants: ["acme", "globex"], role: "agent" },
  roaming_agent: { tenants: ["*"], role: "viewer" },
  disabled_agent: { tenants: ["acme"], role: "agent", disabled: true },
};
