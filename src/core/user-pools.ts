import { once } from "./once.ts";
import {
  arrayOf,
  type Check,
  type Checks,
  checkMembers,
  fieldOf,
  isTable,
  itemsOf,
  matching,
} from "./shape.ts";
import { bareUrl, jwksUrl } from "./url-checks.ts";

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

/** An item of `USER_POOLS`. */
export interface PoolTable {
  readonly id: string;
  readonly client_ids: readonly string[];
  readonly issuers?: readonly IssuerTable[];
  readonly resources?: readonly string[];
}

const POOL_ID = /^[\w-]{1,53}_[0-9A-Za-z]+$/; // the API's own pattern, at most 55 characters
const REGIONAL_POOL_ID = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$/;
const CLIENT_ID = /^[\x21-\x7e]{1,128}$/;

const ISSUER: Checks<IssuerTable> = { issuer: bareUrl, jwks_url: jwksUrl };

const issuerTable: Check = (value, path, faults) => {
  if (!isTable(value)) faults.push(`${path}: must be a table of issuer and jwks_url`);
  else checkMembers(value, ISSUER, ["issuer", "jwks_url"], `${path}.`, faults);
};

const resource: Check = (value, path, faults) => {
  if (typeof value !== "string" || !URL.canParse(value)) faults.push(`${path}: must be a URL`);
};

// with the first request, as all that the variables are checked with
const poolChecks = once(
  (): Checks<PoolTable> => ({
    id: matching(POOL_ID, "must be a user pool id such as us-east-2_Ab12Cd34E"),
    client_ids: arrayOf(
      matching(CLIENT_ID, "must be 1 to 128 visible ASCII characters"),
      "must be an array of app client ids",
    ),
    issuers: arrayOf(issuerTable, "must be an array of tables", "must name at least one issuer"),
    resources: arrayOf(resource, "must be an array of URLs", "must name at least one resource"),
  }),
);

const poolTable: Check = (value, path, faults) => {
  if (!isTable(value)) {
    faults.push(`${path}: must be a table with id and client_ids, and perhaps issuers and resources`);
    return;
  }
  checkMembers(value, poolChecks(), ["id", "client_ids"], `${path}.`, faults);
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

/** A check of `USER_POOLS`: each pool by itself, and that no two share an id or an issuer. */
export const userPools: Check = (value, path, faults) => {
  const each = arrayOf(
    poolTable,
    "must be an array of tables, one for each user pool",
    "must name at least one user pool",
  );
  each(value, path, faults);
  checkDistinct(itemsOf(value), path, faults);
};
