import type { Mint } from "./cognito-mint.ts";

/** A request to the gateway, and what comes of it with the shipped policy and the seeded KV. */
export interface Outcome {
  /** The code of the refusal, or a word for what passes. */
  readonly name: string;
  readonly status: number;
  /** Who asks, and for what. */
  readonly story: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Header lines, `name: value`. */
  readonly headers: readonly string[];
  readonly body?: string;
}

const EXPIRED_SECONDS = 3600; // ago: more than any tolerance

const bearer = (token: string): string => `authorization: Bearer ${token}`;

/** Changes the role inside a token and leaves the signature as it was, as a cheat would. */
function promote(token: string, role: string): string {
  const [header, payload = "", signature] = token.split(".");
  const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  const forged = JSON.stringify(Object.assign({}, claims, { "custom:role": role }));
  return [header, Buffer.from(forged).toString("base64url"), signature].join(".");
}

/** One request for each outcome, with live tokens of the stand-in. Throws where the seed lacks whom they name. */
export async function createOutcomes(mint: Mint): Promise<readonly Outcome[]> {
  async function person(username: string, expiresInSeconds?: number): Promise<string> {
    const token = await mint.forPerson(username, {
      use: "id",
      ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    });
    if (token === undefined) throw new Error(`the seed has no person ${username}`);
    return token;
  }
  async function machine(clientId: string): Promise<string> {
    const token = await mint.forClient(clientId);
    if (token === undefined) throw new Error(`the seed has no machine ${clientId}`);
    return token;
  }
  const [ada, vic, nomad, agent] = await Promise.all([
    person("ada"),
    person("vic"),
    person("nomad"),
    machine("acme_agent"),
  ]);
  const expired = await person("ada", -EXPIRED_SECONDS);
  const get = (name: string, status: number, story: string, path: string, headers: string[]): Outcome => ({
    name,
    status,
    story,
    method: "GET",
    path,
    headers,
  });
  const reports = "/v1/reports/daily";
  return [
    get("user ok", 200, "ada, admin of acme", "/v1/tenants/acme/members", [bearer(ada)]),
    get("machine ok", 200, "acme_agent, for acme", reports, [bearer(agent), "x-tenant-id: acme"]),
    {
      name: "webchat without token",
      status: 200,
      story: "anybody, on a public route",
      method: "POST",
      path: "/v1/webchat/messages",
      headers: ["content-type: application/json"],
      body: '{"text":"hello"}',
    },
    get("token_expired", 401, "ada, with a token that ended an hour ago", reports, [bearer(expired)]),
    get("invalid_signature", 401, "vic, who has made himself owner", "/v1/tenants/acme/members", [
      bearer(promote(vic, "owner")),
    ]),
    get("missing_tenant_claim", 403, "nomad, who belongs to no tenant", reports, [bearer(nomad)]),
    get("insufficient_role", 403, "vic, a viewer, where admins may", "/v1/tenants/acme/members", [
      bearer(vic),
    ]),
    get("tenant_not_allowed", 403, "acme_agent, for a tenant that is not in its list", reports, [
      bearer(agent),
      "x-tenant-id: initech",
    ]),
    get("missing_token", 401, "nobody", reports, []),
  ];
}

/** In single quotes for a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The request as a line for a shell: prints status, headers and body. */
export function curlLine(gatewayUrl: string, { method, path, headers, body }: Outcome): string {
  return [
    "curl -si",
    ...(method === "GET" ? [] : [`-X ${method}`]),
    quote(gatewayUrl + path),
    ...headers.map((header) => `-H ${quote(header)}`),
    ...(body === undefined ? [] : [`-d ${quote(body)}`]),
  ].join(" ");
}
