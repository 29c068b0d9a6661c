import { isBrowserOrigin, parseUrl } from "./browser-origin.ts";
import { once } from "./once.ts";
import { arrayOf, type Check, type Checks, checkMembers, fieldOf, isTable, itemsOf, oneOf } from "./shape.ts";

/** One exact `iss` value and where its keys are. */
export interface Issuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  /**
   * `explicit`: named in the configuration. `original`: Cognito's first form, derived from the pool id.
   * `updated`: its second form, which answers 403 or 404 where a pool does not use it.
   */
  readonly form: "explicit" | "original" | "updated";
}

interface IssuerTable {
  readonly issuer: string;
  readonly jwks_url: string;
}

interface PoolTable {
  readonly id: string;
  readonly client_ids: readonly string[];
  readonly issuers?: readonly IssuerTable[];
  readonly resources?: readonly string[];
}

/** Variables and secrets of the right form, without their defaults. */
export interface Vars {
  readonly ORIGIN_URL: string;
  readonly ORIGINS?: Readonly<Record<string, string>>;
  readonly USER_POOLS: readonly PoolTable[];
  readonly CORS_ORIGINS?: readonly string[];
  readonly EXP_TOLERANCE_SECONDS?: number;
  readonly SKEW_TOLERANCE_SECONDS?: number;
  readonly ORIGIN_TIMEOUT_MS?: number;
  readonly FORWARD_AUTHORIZATION?: boolean;
  readonly MODE?: "enforce" | "report";
  readonly REALM?: string;
  readonly ORIGIN_SECRET?: string;
}

const POOL_ID = /^[\w-]{1,53}_[0-9A-Za-z]+$/; // the API's own pattern, at most 55 characters
const REGIONAL_POOL_ID = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$/;
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const CLIENT_ID = /^[\x21-\x7e]{1,128}$/;
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/; // a quoted-string without quotes and backslashes

const isTransportSafe = (text: string): boolean => {
  const url = parseUrl(text);
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK_HOST.test(url.hostname));
};

function checkUrl(value: unknown, unwanted: RegExp, what: string, path: string, faults: string[]): void {
  if (typeof value !== "string") faults.push(`${path}: must be a URL`);
  else {
    if (!isTransportSafe(value))
      faults.push(`${path}: must be an https URL without user name (http only on a loopback host)`);
    if (unwanted.test(value)) faults.push(`${path}: ${what}`);
  }
}

const bareUrl: Check = (value, path, faults) =>
  checkUrl(value, /[?#\s]/, "must have no query, fragment or blank", path, faults);

const jwksUrl: Check = (value, path, faults) =>
  checkUrl(value, /[#\s]/, "must have no fragment or blank", path, faults);

const originTable: Check = (value, path, faults) => {
  if (!isTable(value)) faults.push(`${path}: must be a table of names and URLs`);
  else for (const [name, url] of Object.entries(value)) bareUrl(url, `${path}.${name}`, faults);
};

const ISSUER: Checks<IssuerTable> = { issuer: bareUrl, jwks_url: jwksUrl };

const issuerTable: Check = (value, path, faults) => {
  if (!isTable(value)) faults.push(`${path}: must be a table of issuer and jwks_url`);
  else checkMembers(value, ISSUER, ["issuer", "jwks_url"], `${path}.`, faults);
};

const matching =
  (pattern: RegExp, what: string): Check =>
  (value, path, faults) => {
    if (typeof value !== "string" || !pattern.test(value)) faults.push(`${path}: ${what}`);
  };

const resource: Check = (value, path, faults) => {
  if (typeof value !== "string" || !URL.canParse(value)) faults.push(`${path}: must be a URL`);
};

const POOL: Checks<PoolTable> = {
  id: matching(POOL_ID, "must be a user pool id such as us-east-2_Ab12Cd34E"),
  client_ids: arrayOf(
    matching(CLIENT_ID, "must be 1 to 128 visible ASCII characters"),
    "must be an array of app client ids",
  ),
  issuers: arrayOf(issuerTable, "must be an array of tables", "must name at least one issuer"),
  resources: arrayOf(resource, "must be an array of URLs", "must name at least one resource"),
};

const poolTable: Check = (value, path, faults) => {
  if (!isTable(value)) {
    faults.push(`${path}: must be a table with id and client_ids, and perhaps issuers and resources`);
    return;
  }
  checkMembers(value, POOL, ["id", "client_ids"], `${path}.`, faults);
  const { id, issuers } = value;
  if (issuers === undefined && typeof id === "string" && POOL_ID.test(id) && !REGIONAL_POOL_ID.test(id))
    faults.push(`${path}.id: names no AWS region, so issuers must be given`);
};

/** Both of Cognito's issuer forms for a pool (AWS: user pool federation endpoints and issuer configuration). */
function cognitoIssuers(poolId: string): Issuer[] {
  const region = REGIONAL_POOL_ID.exec(poolId)?.[1];
  if (region === undefined) return [];
  const original = `https://cognito-idp.${region}.amazonaws.com/${poolId}`;
  const updated = `https://issuer-cognito-idp.${region}.amazonaws.com/${poolId}`;
  return [
    { issuer: original, jwksUrl: `${original}/.well-known/jwks.json`, form: "original" },
    { issuer: updated, jwksUrl: `${updated}/.well-known/jwks.json`, form: "updated" },
  ];
}

/** The issuers of a pool: those that it names, or both that Cognito gives it. */
export const issuersOf = ({ id, issuers }: PoolTable): readonly Issuer[] =>
  issuers?.map(({ issuer, jwks_url }) => ({ issuer, jwksUrl: jwks_url, form: "explicit" })) ??
  cognitoIssuers(id);

/** What {@link issuersOf} would name, of a pool that may have faults. */
function issuerNames(pool: unknown): readonly unknown[] {
  const id = fieldOf(pool, "id");
  const issuers = fieldOf(pool, "issuers");
  if (issuers !== undefined) return itemsOf(issuers).map((table) => fieldOf(table, "issuer"));
  return typeof id === "string" ? cognitoIssuers(id).map(({ issuer }) => issuer) : [];
}

/** Has the name been seen before? What is no name is another fault. */
function isRepeated(name: unknown, seen: Set<unknown>): boolean {
  const isKnown = seen.has(name);
  if (typeof name === "string") seen.add(name);
  return isKnown;
}

/** A token's `iss` must lead to one pool, and an id to one entry of the health answer. */
function checkDistinct(pools: readonly unknown[], path: string, faults: string[]): void {
  const ids = new Set<unknown>();
  const issuers = new Set<unknown>();
  for (const [index, pool] of pools.entries()) {
    if (isRepeated(fieldOf(pool, "id"), ids)) faults.push(`${path}.${index}.id: stands twice`);
    for (const issuer of issuerNames(pool))
      if (isRepeated(issuer, issuers)) faults.push(`${path}.${index}.issuers: an issuer of it stands twice`);
  }
}

const poolTables = arrayOf(
  poolTable,
  "must be an array of tables, one for each user pool",
  "must name at least one user pool",
);

const pools: Check = (value, path, faults) => {
  poolTables(value, path, faults);
  checkDistinct(itemsOf(value), path, faults);
};

const browserOrigin: Check = (value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be an origin`);
  else if (!isBrowserOrigin(value))
    faults.push(`${path}: must be an exact origin such as https://app.example.com`);
};

const between =
  (low: number, high: number, what: string): Check =>
  (value, path, faults) => {
    if (!(typeof value === "number" && value >= low && value <= high)) faults.push(`${path}: ${what}`);
  };

/** The values of `ORIGIN_SECRET`: the one that is sent, and perhaps one that the API still takes, or takes already. */
export const secretValues = (secret: string): readonly string[] =>
  secret.split(",").map((part) => part.trim());

const originSecret: Check = (value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a string`);
  else {
    const values = secretValues(value);
    if (values.length > 2 || !values.every((part) => VISIBLE_ASCII.test(part)))
      faults.push(`${path}: must be one value, or two separated by a comma, of visible ASCII characters`);
  }
};

const checks = once((): Checks<Vars> => {
  const seconds = between(0, 300, "must be a number of seconds from 0 to 300");
  return {
    ORIGIN_URL: bareUrl,
    ORIGINS: originTable,
    USER_POOLS: pools,
    CORS_ORIGINS: arrayOf(browserOrigin, "must be an array"),
    EXP_TOLERANCE_SECONDS: seconds,
    SKEW_TOLERANCE_SECONDS: seconds,
    ORIGIN_TIMEOUT_MS: between(1, 2_147_483_647, "must be a positive number of milliseconds"),
    FORWARD_AUTHORIZATION: oneOf([true, false], "true or false"),
    MODE: oneOf(["enforce", "report"], "enforce or report"),
    REALM: matching(REALM, "must be printable ASCII without quotes and backslashes"),
    ORIGIN_SECRET: originSecret,
  };
});

/** The names of all variables and secrets. */
export const variableNames = (): readonly string[] => Object.keys(checks());

const NUMBERS = ["EXP_TOLERANCE_SECONDS", "SKEW_TOLERANCE_SECONDS", "ORIGIN_TIMEOUT_MS"];
const OF_JSON = ["ORIGINS", "USER_POOLS", "CORS_ORIGINS", "FORWARD_AUTHORIZATION"];

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text; // the check that follows says what it wanted instead
  }
};

/** A variable as it is meant: `.dev.vars` and `--var` give every one as a string. */
function typed(name: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (OF_JSON.includes(name)) return json(value);
  return NUMBERS.includes(name) && value.trim() !== "" ? Number(value) : value;
}

/** Reads the variables and secrets of an environment; other members are ignored. Faults: `path: what is wrong`. */
export function readVars(env: object): {
  readonly vars: Vars | undefined;
  readonly faults: readonly string[];
} {
  const values = Object.fromEntries(variableNames().map((name) => [name, typed(name, fieldOf(env, name))]));
  const faults: string[] = [];
  checkMembers(values, checks(), ["ORIGIN_URL", "USER_POOLS"], "", faults);
  // without a fault they are Vars
  return { vars: faults.length === 0 ? (values as unknown as Vars) : undefined, faults };
}
