import { isBrowserOrigin } from "./browser-origin.ts";
import { once } from "./once.ts";
import {
  arrayOf,
  type Check,
  type Checks,
  checkMembers,
  fieldOf,
  isTable,
  matching,
  oneOf,
} from "./shape.ts";
import { bareUrl } from "./url-checks.ts";
import { type PoolTable, userPools } from "./user-pools.ts";

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

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const REALM = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/; // a quoted-string without quotes and backslashes

const originTable: Check = (value, path, faults) => {
  if (!isTable(value)) faults.push(`${path}: must be a table of names and URLs`);
  else for (const [name, url] of Object.entries(value)) bareUrl(url, `${path}.${name}`, faults);
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
    USER_POOLS: userPools,
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
