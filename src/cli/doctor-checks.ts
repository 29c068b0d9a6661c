import type { Config } from "../core/config.ts";
import type { ClientDescription, Descriptions, UserPoolDescription } from "./doctor-input.ts";
import type { Finding } from "./finding.ts";
import { duration, shellWord } from "./printable.ts";

/** A finding, and the command that mends it. */
export interface Diagnosis extends Finding {
  readonly mend: string;
}

/** What the gateway relies on. */
export interface Expectations {
  /** Claims that hold a person's tenant and role, as the policy names them. */
  readonly tenantClaim: string;
  readonly roleClaim: string;
  /** Configurations by environment. */
  readonly configs: ReadonlyMap<string, Config>;
  /** Seconds that a revocation is kept. */
  readonly revocationTtlSeconds: number;
}

const SECONDS: Readonly<Record<string, number>> = { seconds: 1, minutes: 60, hours: 3600, days: 86_400 };
const DEFAULT_VALIDITY_SECONDS = 3600;

const isAttribute = (claim: string): boolean => claim.startsWith("custom:");
const titleOf = ({ ClientName, ClientId }: ClientDescription): string =>
  ClientName === undefined ? `client ${ClientId}` : `client ${ClientName} (${ClientId})`;

/** An update that keeps all other settings: Cognito resets what an update does not name. */
function updateClient({ file }: ClientDescription, edit: string): string {
  const mended = shellWord(`${file.replace(/\.json$/, "")}.mended.json`); // a shell empties a file that it reads from
  return `jq '.UserPoolClient | del(.ClientSecret, .CreationDate, .LastModifiedDate) | ${edit}' ${shellWord(file)} > ${mended} && aws cognito-idp update-user-pool-client --cli-input-json file://${mended}`;
}

const error = (where: string, what: string, mend: string): Diagnosis => ({
  level: "error",
  where,
  what,
  mend,
});
const warning = (where: string, what: string, mend: string): Diagnosis => ({
  level: "warning",
  where,
  what,
  mend,
});

/** A client that may write the attribute lets its users choose their own tenant or role. */
function checkWritable(
  client: ClientDescription,
  pool: UserPoolDescription | undefined,
  claims: readonly string[],
): Diagnosis[] {
  const where = titleOf(client);
  if (client.WriteAttributes === undefined) {
    const attributes = pool?.SchemaAttributes?.filter(({ Name }) => claims.includes(Name));
    const isSet =
      attributes?.length === claims.length && attributes.every(({ Mutable }) => Mutable === false);
    const level = isSet && pool?.AdminCreateUserConfig?.AllowAdminCreateUserOnly === true ? warning : error;
    return [
      level(
        where,
        `WriteAttributes is not set, so Cognito's default holds, and its pages do not agree on whether that covers ${claims.join(" and ")}; list what users may change`,
        updateClient(client, '.WriteAttributes = ["email"]'),
      ),
    ];
  }
  const writable = claims.filter((claim) => client.WriteAttributes?.includes(claim));
  if (writable.length === 0) return [];
  return [
    error(
      where,
      `may write ${writable.join(" and ")}, so its users can give themselves any tenant or role, at sign-up or by UpdateUserAttributes`,
      updateClient(client, `.WriteAttributes -= ${JSON.stringify(writable)}`),
    ),
  ];
}

function checkFlows(client: ClientDescription): Diagnosis[] {
  const { AllowedOAuthFlows: flows, ClientSecret: hasSecret, UserPoolId } = client;
  const where = titleOf(client);
  const found: Diagnosis[] = [];
  if (flows.includes("implicit"))
    found.push(
      error(
        where,
        "allows the implicit grant, which hands tokens out in addresses, where histories and logs keep them",
        updateClient(
          client,
          '.AllowedOAuthFlows = ((.AllowedOAuthFlows - ["implicit"]) + ["code"] | unique)',
        ),
      ),
    );
  if (flows.includes("client_credentials") && !hasSecret)
    found.push(
      error(
        where,
        "allows client_credentials and has no secret, so whoever knows its id can be this machine",
        `aws cognito-idp create-user-pool-client --user-pool-id ${shellWord(UserPoolId)} --client-name NAME --generate-secret --allowed-o-auth-flows client_credentials --allowed-o-auth-flows-user-pool-client --allowed-o-auth-scopes SCOPE`,
      ),
    );
  return found;
}

function validitySeconds(client: ClientDescription, token: "AccessToken" | "IdToken"): number {
  const value = client[`${token}Validity`];
  if (value === undefined || value === 0) return DEFAULT_VALIDITY_SECONDS;
  return value * (SECONDS[client.TokenValidityUnits[token] ?? "hours"] ?? 3600);
}

function checkLifetimes(
  client: ClientDescription,
  { revocationTtlSeconds, configs }: Expectations,
): Diagnosis[] {
  const tolerance = Math.max(
    0,
    ...[...configs.values()].map(({ expToleranceSeconds }) => expToleranceSeconds),
  );
  return (["AccessToken", "IdToken"] as const).flatMap((token) => {
    const seconds = validitySeconds(client, token);
    if (seconds + tolerance <= revocationTtlSeconds) return [];
    return [
      error(
        titleOf(client),
        `${token}Validity is ${duration(seconds)}${tolerance > 0 ? ` and ${tolerance} s are tolerated` : ""}, longer than the ${duration(revocationTtlSeconds)} that a revocation is kept: a revoked token would come back to life`,
        updateClient(client, `.${token}Validity = 60 | .TokenValidityUnits.${token} = "minutes"`),
      ),
    ];
  });
}

function checkRevocation(client: ClientDescription): Diagnosis[] {
  if (client.EnableTokenRevocation === true) return [];
  const isOff = client.EnableTokenRevocation === false;
  return [
    (isOff ? error : warning)(
      titleOf(client),
      `EnableTokenRevocation is ${isOff ? "off" : "not in the description"}; without it tokens have no jti and origin_jti to be revoked by`,
      updateClient(client, ".EnableTokenRevocation = true"),
    ),
  ];
}

/** A client that people use has to be known, and has to be able to read what tokens are to say. */
function checkUse(client: ClientDescription, { configs, tenantClaim, roleClaim }: Expectations): Diagnosis[] {
  const { AllowedOAuthFlows: flows, ReadAttributes, ClientId, UserPoolId } = client;
  if (flows.length > 0 && flows.every((flow) => flow === "client_credentials")) return [];
  const where = titleOf(client);
  const found: Diagnosis[] = [];
  const unread = [tenantClaim, roleClaim].filter(
    (claim) => isAttribute(claim) && ReadAttributes !== undefined && !ReadAttributes.includes(claim),
  );
  if (unread.length > 0)
    found.push(
      warning(
        where,
        `may not read ${unread.join(" and ")}, so its ID tokens do not carry it`,
        updateClient(client, `.ReadAttributes += ${JSON.stringify(unread)}`),
      ),
    );
  const pools = [...configs.values()].flatMap(({ pools: all }) => all.filter(({ id }) => id === UserPoolId));
  if (pools.length > 0 && !pools.some(({ clientIds }) => clientIds.has(ClientId)))
    found.push(
      warning(
        where,
        "is not in client_ids of its pool, so the gateway answers its tokens with invalid_audience",
        `add "${ClientId}" to client_ids of ${UserPoolId} in wrangler.toml, if its users are to get in`,
      ),
    );
  return found;
}

function issuerOf({ Id, IssuerConfiguration }: UserPoolDescription): string {
  const region = Id.slice(0, Id.indexOf("_"));
  const host = IssuerConfiguration?.Type === "UPDATED" ? "issuer-cognito-idp" : "cognito-idp";
  return `https://${host}.${region}.amazonaws.com/${Id}`;
}

function checkIssuer(pool: UserPoolDescription, { configs }: Expectations): Diagnosis[] {
  const where = `pool ${pool.Id}`;
  const using = [...configs].filter(([, config]) => config.pools.some(({ id }) => id === pool.Id));
  if (using.length === 0)
    return [
      warning(
        where,
        "is in no environment of wrangler.toml",
        `add a table with id = "${pool.Id}" to USER_POOLS, if its users are to get in`,
      ),
    ];
  const issuer = issuerOf(pool);
  return using.flatMap(([name, config]) => {
    const known = config.pools.find(({ id }) => id === pool.Id)?.issuers ?? [];
    if (known.some((each) => each.issuer === issuer)) return [];
    return [
      error(
        where,
        `issues tokens as ${issuer}, which environment ${name} does not list among its issuers`,
        `add { issuer = "${issuer}", jwks_url = "${issuer}/.well-known/jwks.json" } to issuers of ${pool.Id} in wrangler.toml, or go back with: aws cognito-idp update-user-pool --user-pool-id ${pool.Id} --issuer-configuration Type=${pool.IssuerConfiguration?.Type === "UPDATED" ? "ORIGINAL" : "UPDATED"} (it resets what it is not given: pass all settings)`,
      ),
    ];
  });
}

function checkSchema(
  pool: UserPoolDescription,
  clients: readonly ClientDescription[],
  claims: readonly string[],
  { tenantClaim }: Expectations,
): Diagnosis[] {
  const where = `pool ${pool.Id}`;
  const own = clients.filter(({ UserPoolId }) => UserPoolId === pool.Id);
  const isProven =
    own.length > 0 &&
    own.every(
      ({ WriteAttributes }) =>
        WriteAttributes !== undefined && !WriteAttributes.some((name) => claims.includes(name)),
    );
  return claims.flatMap((claim) => {
    const attribute = pool.SchemaAttributes?.find(({ Name }) => Name === claim);
    const name = claim.slice("custom:".length);
    if (attribute === undefined)
      return [
        (claim === tenantClaim ? error : warning)(
          where,
          `has no attribute ${claim}, so ${claim === tenantClaim ? "its users are answered with missing_tenant_claim" : "its users have no role"}`,
          `aws cognito-idp add-custom-attributes --user-pool-id ${pool.Id} --custom-attributes Name=${name},AttributeDataType=String,Mutable=${claim === tenantClaim ? "false" : "true"},StringAttributeConstraints={MaxLength=128}`,
        ),
      ];
    if (attribute.Mutable === false) return [];
    return [
      (isProven ? warning : error)(
        where,
        `attribute ${claim} is mutable${isProven ? "; the app clients handed in may not write it, see that no other one may" : ", and no description of its app clients shows that none of them may write it"}`,
        `aws cognito-idp list-user-pool-clients --user-pool-id ${pool.Id} names its app clients; hand the output of aws cognito-idp describe-user-pool-client for each to edge doctor (an attribute cannot be made immutable later)`,
      ),
    ];
  });
}

/** What in these pools and app clients would undo the gateway, worst first. */
export function diagnose({ pools, clients }: Descriptions, expectations: Expectations): readonly Diagnosis[] {
  const claims = [expectations.tenantClaim, expectations.roleClaim].filter(isAttribute);
  const found = [
    ...pools.flatMap((pool) => [
      ...checkSchema(pool, clients, claims, expectations),
      ...checkIssuer(pool, expectations),
    ]),
    ...clients.flatMap((client) => [
      ...(claims.length === 0
        ? []
        : checkWritable(
            client,
            pools.find(({ Id }) => Id === client.UserPoolId),
            claims,
          )),
      ...checkFlows(client),
      ...checkLifetimes(client, expectations),
      ...checkRevocation(client),
      ...checkUse(client, expectations),
    ]),
  ];
  return found.toSorted((a, b) => Number(b.level === "error") - Number(a.level === "error"));
}
