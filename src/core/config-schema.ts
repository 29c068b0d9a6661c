import * as v from "valibot";
import { isBrowserOrigin, parseUrl } from "./browser-origin.ts";

/** An API behind the gateway. */
export interface Origin {
  /** Scheme, host and stage path, without a final slash: `https://abc.execute-api.us-east-2.amazonaws.com/prod`. */
  readonly baseUrl: string;
  /** Host and port, as the `Host` header names them. */
  readonly host: string;
  /** The stage path, or empty: `/prod`. */
  readonly basePath: string;
}

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

const POOL_ID = /^[\w-]{1,53}_[0-9A-Za-z]+$/; // the API's own pattern, at most 55 characters
const REGIONAL_POOL_ID = /^([a-z]{2}(?:-[a-z]+)+-\d+)_[0-9A-Za-z]+$/;
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const CLIENT_ID = /^[\x21-\x7e]{1,128}$/;
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/; // a quoted-string without quotes and backslashes

const json = (text: unknown): unknown => {
  if (typeof text !== "string") return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // the schema that follows says what it wanted instead
  }
};

const isTransportSafe = (text: string): boolean => {
  const url = parseUrl(text);
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK_HOST.test(url.hostname));
};

const secureUrl = (isComplete: (text: string) => boolean, what: string) =>
  v.pipe(
    v.string("must be a URL"),
    v.check(isTransportSafe, "must be an https URL without user name (http only on a loopback host)"),
    v.check(isComplete, what),
  );
const bareUrl = () => secureUrl((text) => !/[?#\s]/.test(text), "must have no query, fragment or blank");
const jwksUrl = () => secureUrl((text) => !/[#\s]/.test(text), "must have no fragment or blank");

const originUrl = () =>
  v.pipe(
    bareUrl(),
    v.transform((text): Origin => {
      const url = new URL(text);
      const basePath = url.pathname.replace(/\/+$/, "");
      return { baseUrl: url.origin + basePath, host: url.host, basePath };
    }),
  );

const number = (low: number, high: number, what: string) =>
  v.pipe(
    v.unknown(),
    v.transform((value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value)),
    v.number(what),
    v.check((value) => value >= low && value <= high, what),
  );

const boolean = () => v.pipe(v.unknown(), v.transform(json), v.boolean("must be true or false"));

const list = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.unknown(), v.transform(json), v.array(item, "must be an array"));

const text = (pattern: RegExp, what: string) => v.pipe(v.string(what), v.regex(pattern, what));

const issuerTable = () =>
  v.strictObject({ issuer: bareUrl(), jwks_url: jwksUrl() }, "must be a table of issuer and jwks_url");

const poolShape = () =>
  v.strictObject(
    {
      id: text(POOL_ID, "must be a user pool id such as us-east-2_Ab12Cd34E"),
      client_ids: v.array(
        text(CLIENT_ID, "must be 1 to 128 visible ASCII characters"),
        "must be an array of app client ids",
      ),
      issuers: v.optional(
        v.pipe(
          v.array(issuerTable(), "must be an array of tables"),
          v.minLength(1, "must name at least one issuer"),
        ),
      ),
      resources: v.optional(
        v.pipe(
          v.array(
            v.pipe(
              v.string("must be a URL"),
              v.check((value: string) => URL.canParse(value), "must be a URL"),
            ),
            "must be an array of URLs",
          ),
          v.minLength(1, "must name at least one resource"),
        ),
      ),
    },
    "must be a table with id and client_ids, and perhaps issuers and resources",
  );

const poolTable = () =>
  v.pipe(
    poolShape(),
    v.forward(
      v.partialCheck(
        [["id"], ["issuers"]],
        ({ id, issuers }) => issuers !== undefined || !POOL_ID.test(id) || REGIONAL_POOL_ID.test(id),
        "names no AWS region, so issuers must be given",
      ),
      ["id"],
    ),
  );

/** Both of Cognito's issuer forms for a pool (AWS: user pool federation endpoints and issuer configuration). */
function cognitoIssuers(poolId: string, region: string): Issuer[] {
  const original = `https://cognito-idp.${region}.amazonaws.com/${poolId}`;
  const updated = `https://issuer-cognito-idp.${region}.amazonaws.com/${poolId}`;
  return [
    { issuer: original, jwksUrl: `${original}/.well-known/jwks.json`, form: "original" },
    { issuer: updated, jwksUrl: `${updated}/.well-known/jwks.json`, form: "updated" },
  ];
}

/** The issuers of a pool: those that it names, or both that Cognito gives it. */
export function issuersOf(pool: v.InferOutput<ReturnType<typeof poolShape>>): Issuer[] {
  if (pool.issuers !== undefined)
    return pool.issuers.map(({ issuer, jwks_url }) => ({ issuer, jwksUrl: jwks_url, form: "explicit" }));
  const region = REGIONAL_POOL_ID.exec(pool.id)?.[1];
  return region === undefined ? [] : cognitoIssuers(pool.id, region);
}

/** A token's `iss` must lead to one pool, and an id to one entry of the health answer. */
const poolsAreDistinct = () =>
  v.rawCheck<v.InferOutput<ReturnType<typeof poolShape>>[]>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const ids = new Set<string>();
    const issuers = new Set<string>();
    const input = dataset.value;
    for (const [index, pool] of input.entries()) {
      const fault = (key: "id" | "issuers", message: string): void => {
        const table = { type: "array", origin: "value", input, key: index, value: pool } as const;
        addIssue({
          message,
          path: [table, { type: "object", origin: "value", input: { ...pool }, key, value: pool[key] }],
        });
      };
      if (ids.has(pool.id)) fault("id", "stands twice");
      ids.add(pool.id);
      for (const { issuer } of issuersOf(pool)) {
        if (issuers.has(issuer)) fault("issuers", "an issuer of it stands twice");
        issuers.add(issuer);
      }
    }
  });

const secretValues = (value: string): string[] => value.split(",").map((part) => part.trim());

const SECONDS = "must be a number of seconds from 0 to 300";

/** Form of the variables and secrets. Made on call: an isolate that starts needs none of it before its first request. */
export const createConfigSchema = () =>
  v.object(
    {
      ORIGIN_URL: originUrl(),
      ORIGINS: v.optional(
        v.pipe(
          v.unknown(),
          v.transform(json),
          v.record(v.string(), originUrl(), "must be a table of names and URLs"),
        ),
        {},
      ),
      USER_POOLS: v.pipe(
        v.unknown(),
        v.transform(json),
        v.array(poolTable(), "must be an array of tables, one for each user pool"),
        v.minLength(1, "must name at least one user pool"),
        poolsAreDistinct(),
      ),
      CORS_ORIGINS: v.optional(
        list(
          v.pipe(
            v.string("must be an origin"),
            v.check(isBrowserOrigin, "must be an exact origin such as https://app.example.com"),
          ),
        ),
        [],
      ),
      EXP_TOLERANCE_SECONDS: v.optional(number(0, 300, SECONDS), 0),
      SKEW_TOLERANCE_SECONDS: v.optional(number(0, 300, SECONDS), 30),
      ORIGIN_TIMEOUT_MS: v.optional(
        number(1, 2_147_483_647, "must be a positive number of milliseconds"),
        30_000,
      ),
      FORWARD_AUTHORIZATION: v.optional(boolean(), true),
      MODE: v.optional(v.picklist(["enforce", "report"], "must be enforce or report"), "enforce"),
      REALM: v.optional(text(REALM, "must be printable ASCII without quotes and backslashes"), "edge"),
      ORIGIN_SECRET: v.optional(
        v.pipe(
          v.string("must be a string"),
          v.transform(secretValues),
          v.check(
            (values) => values.length <= 2 && values.every((value) => VISIBLE_ASCII.test(value)),
            "must be one value, or two separated by a comma, of visible ASCII characters",
          ),
        ),
      ),
    },
    "must be a table of variables",
  );

/** Variables and secrets of the right form. */
export type Vars = v.InferOutput<ReturnType<typeof createConfigSchema>>;
