import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Command } from "commander";
import { parse as parseToml } from "smol-toml";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/core/config.ts";
import { errorCodes, errorRow } from "../../src/core/errors.ts";
import { upstreamHeaders } from "../../src/core/http/upstream-headers.ts";
import { compilePolicy } from "../../src/core/policy/define.ts";
import type { Principal } from "../../src/core/principal.ts";
import { VERSION } from "../../src/core/version.ts";
import { anchorsOf, codesIn, linksOf, namesOn, readPages, readRepositoryFile, tablesOn } from "./markdown.ts";
import { edge, parseJson } from "./project.ts";

const pages = readPages();
const page = (path: string): string => pages.find((each) => each.path === path)?.text ?? "";
const README = page("README.md");
const ERRORS = page("docs/errors.md");
const CONFIGURATION = page("docs/configuration.md");
const CONTRACT = page("docs/contract.md");

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].toSorted();

/** The members of an interface, as its source names them. */
function membersOf(path: string, name: string): string[] {
  const source = readRepositoryFile(path);
  const body =
    new RegExp(`export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, "m").exec(source)?.[1] ?? "";
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map((match) => match[1] ?? "");
}

describe("docs: errors", () => {
  const entries = [...ERRORS.matchAll(/^### `(\w+)` \((\d+)\)\n> (.+)$/gm)].map(
    ([, code, status, message]) => ({ code, status: Number(status), message }),
  );

  it("docs/errors.md has one entry for each code, with its status and its message, and no other", () => {
    const catalogue = errorCodes().map((code) => ({
      code,
      status: errorRow(code).status,
      message: errorRow(code).message,
    }));
    const byCode = (a: { code?: string | undefined }, b: { code?: string | undefined }) =>
      (a.code ?? "").localeCompare(b.code ?? "");
    expect(entries.toSorted(byCode)).toEqual(catalogue.toSorted(byCode));
  });

  it.each([
    ["README.md", README],
    ["docs/contract.md", CONTRACT],
  ])("%s lists each code under its status, and no other", (_path, text) => {
    const listed = tablesOn(text, "status").flatMap(({ rows }) =>
      rows.flatMap(([statuses = "", codes = ""]) => {
        const all = statuses.split(" / ");
        return codesIn(codes).map((code, index) => `${all[index] ?? all[0]} ${code}`);
      }),
    );
    expect(sorted(listed)).toEqual(sorted(errorCodes().map((code) => `${errorRow(code).status} ${code}`)));
  });

  it("README.md names each refusal of steps 2 to 17 at a step of the decision", () => {
    const steps = tablesOn(README, "").find(({ header }) => header[1] === "step");
    const named = steps?.rows.flatMap(([, , refusals = ""]) => codesIn(refusals)) ?? [];
    const elsewhere = ["method_not_allowed", "misconfigured", "internal_error"];
    expect(sorted([...named, ...elsewhere])).toEqual(sorted(errorCodes()));
  });
});

describe("docs: configuration", () => {
  const members = membersOf("src/cloudflare/env.ts", "Env");
  const variables = members.filter(
    (name) => !/^(?:JWKS|M2M_TENANTS|REVOCATIONS|\w+_LIMIT|ORIGIN_SECRET)$/.test(name),
  );

  it("the environment's type is read as it stands", () => {
    expect(members).toContain("ORIGIN_URL");
    expect(variables).toContain("REALM");
  });

  it("docs/configuration.md has every variable, binding and secret, and no other", () => {
    const named = ["variable", "binding", "secret"].flatMap((title) => namesOn(CONFIGURATION, title));
    expect(sorted(named)).toEqual(sorted(members));
  });

  it("README.md has every variable, binding and secret, and no other", () => {
    const named = ["variable", "binding or secret"].flatMap((title) => namesOn(README, title));
    expect(sorted(named)).toEqual(sorted(members));
  });

  it("docs/contract.md has every variable, and no other", () => {
    expect(sorted(namesOn(CONTRACT, "var"))).toEqual(sorted(variables));
  });

  it("every documented variable is one that the configuration looks at", () => {
    const result = parseConfig(Object.fromEntries(namesOn(README, "variable").map((name) => [name, null])));
    const faults = result.ok ? [] : result.faults.map((fault) => fault.split(/[.:]/)[0]);
    expect(sorted(faults.map(String))).toEqual(sorted(variables));
  });

  it("README.md and docs/configuration.md tell the defaults that hold", () => {
    const result = parseConfig({
      ORIGIN_URL: "https://api.example.com",
      USER_POOLS: [{ id: "us-east-2_Ab12Cd34E", client_ids: [] }],
    });
    const config = result.ok ? result.value : undefined;
    const defaults = {
      CORS_ORIGINS: config?.corsOrigins,
      EXP_TOLERANCE_SECONDS: config?.expToleranceSeconds,
      SKEW_TOLERANCE_SECONDS: config?.skewToleranceSeconds,
      ORIGIN_TIMEOUT_MS: config?.originTimeoutMs,
      FORWARD_AUTHORIZATION: config?.forwardAuthorization,
      MODE: config?.mode,
      REALM: config?.realm,
    };
    for (const text of [README, CONFIGURATION]) {
      const rows = tablesOn(text, "variable").flatMap(({ rows: all }) => all);
      for (const [name, value] of Object.entries(defaults)) {
        const row = rows.find(([first]) => first === `\`${name}\``);
        expect(codesIn(row?.[1] ?? ""), name).toEqual([JSON.stringify(value)]);
      }
    }
  });

  it("docs/configuration.md has every member of a user pool, and no other", () => {
    const source = readRepositoryFile("src/cloudflare/env.ts");
    const pool = /USER_POOLS: [\s\S]*?^ {2}>;$/m.exec(source)?.[0] ?? "";
    const names = [...pool.matchAll(/^ {6}readonly (\w+)\??:/gm)].map((match) => match[1] ?? "");
    expect(names).toContain("client_ids");
    expect(sorted(namesOn(CONFIGURATION, "member"))).toEqual(sorted(names));
  });

  it("docs/configuration.md names every setting that is refused as not supported", () => {
    const source = readRepositoryFile("src/cloudflare/env.ts");
    const unsupported = [...source.matchAll(/"((?:AWS|PASSPORT)_[A-Z_]+)"/g)].map((match) => match[1] ?? "");
    expect(unsupported.length).toBeGreaterThan(0);
    for (const name of unsupported) expect(CONFIGURATION).toContain(`\`${name}\``);
  });
});

describe("docs: policy", () => {
  const routeFields = membersOf("src/core/policy/schema.ts", "Route");

  it.each([
    ["README.md", README],
    ["docs/configuration.md", CONFIGURATION],
    ["docs/contract.md", CONTRACT],
  ])("%s has every field of a route, and no other", (_path, text) => {
    expect(routeFields).toContain("tenantParam");
    expect(sorted(namesOn(text, "route field"))).toEqual(sorted(routeFields));
  });

  it("docs/configuration.md has every field of a policy, and no other", () => {
    const fields = membersOf("src/core/policy/schema.ts", "Policy");
    expect(sorted(namesOn(CONFIGURATION, "policy field"))).toEqual(sorted(fields));
  });

  it("every documented field of a route is one that the policy looks at", () => {
    for (const field of routeFields) {
      const result = compilePolicy({ routes: [{ path: "/v1/*", [field]: null }] });
      expect(result.ok ? [] : result.faults.join()).toContain(`routes.0.${field}: must be`);
    }
  });

  it("README.md shows the policy that is shipped", () => {
    const shipped = readRepositoryFile("src/policy.ts");
    const shown = /^export default definePolicy\([\s\S]*?^\}\);$/m;
    expect(shown.exec(README)?.[0]).toBe(shown.exec(shipped)?.[0]);
  });
});

/** The blocks of every page in this language. */
const blocksOf = (language: string): { readonly path: string; readonly block: string }[] =>
  pages.flatMap(({ path, text }) =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((match) => ({
      path,
      block: match[1] ?? "",
    })),
  );

/** The value of an expression that a page shows. */
async function evaluate(expression: string): Promise<unknown> {
  const source = `export default (${expression});`;
  const { default: value } = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as {
    default: unknown;
  };
  return value;
}

describe("docs: examples", () => {
  it("every policy on a page validates", async () => {
    const policies = blocksOf("ts").flatMap(({ path, block }) => {
      const literal = /definePolicy\(([\s\S]*?)\);$/m.exec(block)?.[1];
      return literal === undefined ? [] : [{ path, literal }];
    });
    expect(policies.length).toBeGreaterThan(3);
    for (const { path, literal } of policies)
      expect(compilePolicy(await evaluate(literal)), path).toMatchObject({ ok: true });
  });

  it("every route in a table of docs/configuration.md validates", async () => {
    const routes = codesIn(CONFIGURATION).filter((code) => code.startsWith("{ path:"));
    expect(routes.length).toBeGreaterThan(5);
    for (const route of routes)
      expect(compilePolicy({ routes: [await evaluate(route)] }), route).toMatchObject({ ok: true });
  });

  it("every configuration on a page validates", () => {
    const required = {
      ORIGIN_URL: "https://api.example.com",
      USER_POOLS: [{ id: "us-east-2_Ab12Cd34E", client_ids: [] }],
    };
    const configurations = blocksOf("toml").flatMap(({ path, block }) => {
      const environments = Object.values(Object(parseToml(block)["env"])) as { vars?: object }[];
      return environments.map(({ vars }) => ({ path, vars: { ...required, ...vars } }));
    });
    expect(configurations.length).toBeGreaterThan(3);
    for (const { path, vars } of configurations) expect(parseConfig(vars), path).toMatchObject({ ok: true });
  });
});

describe("docs: headers to the API", () => {
  it("README.md has every header that the gateway sets, and no other", () => {
    const principal: Principal = {
      caller: "user",
      sub: "s",
      tokenUse: "id",
      clientId: "c",
      exp: 0,
      iat: 0,
      nbf: undefined,
      resource: undefined,
      scopes: ["s"],
      groups: ["g"],
      username: "u",
      tenantClaim: "t",
      roleClaim: "r",
      jti: undefined,
      originJti: undefined,
    };
    const identity = { principal, tenant: "t", role: "r" };
    const headers = upstreamHeaders(new Headers(), identity, {
      requestId: "12345678",
      clientIp: "192.0.2.1",
      scheme: "https",
      host: "api.example.com",
      originSecret: "x",
      forwardAuthorization: true,
      keepTenantHeader: false,
    });
    expect(sorted(namesOn(README, "header"))).toEqual(sorted(headers.set.map(([name]) => name)));
  });
});

describe("docs: links and version", () => {
  it("every relative link of every page leads to a file, and to a heading of it", () => {
    const broken = pages.flatMap(({ path, text }) =>
      linksOf(text).flatMap((target) => {
        const [file = "", anchor] = target.split("#");
        const to = file === "" ? path : normalize(join(dirname(path), file));
        const isThere = existsSync(new URL(`../../${to}`, import.meta.url));
        const hasAnchor = anchor === undefined || anchorsOf(page(to)).has(anchor);
        return isThere && hasAnchor ? [] : [`${path}: ${target}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it("package.json, the lock file, the code and the changelog name one version", () => {
    const { version } = parseJson(readRepositoryFile("package.json"));
    expect(parseJson(readRepositoryFile("package-lock.json"))["version"]).toBe(version);
    expect(VERSION).toBe(version);
    expect(page("CHANGELOG.md")).toContain(`## [${version}]`);
  });
});

/** A command as a page writes it: the words after `npx edge`, and its options. */
interface Written {
  readonly path: string;
  readonly words: readonly string[];
  readonly options: readonly string[];
}

const COMMAND = /npx edge ([^\n`]+)/g;

function writtenIn(path: string, text: string): Written[] {
  return [...text.matchAll(COMMAND)].map((match) => {
    const line = (match[1] ?? "").replace(/\s(?:#|\||&&|>).*$/, "").replace(/\).*$/, "");
    const tokens = line.split(/\s+/);
    const end = tokens.findIndex((token) => !/^[a-z][\w-]*$/.test(token));
    return {
      path,
      words: end === -1 ? tokens : tokens.slice(0, end),
      options: tokens.flatMap((token) => /^--[a-z][a-z-]*/.exec(token)?.[0] ?? []),
    };
  });
}

/** The commands of `edge` as its modules register them; the program itself runs as soon as it is loaded. */
async function loadProgram(): Promise<Command> {
  const program = new Command("edge");
  const imports = readRepositoryFile("src/cli/edge.ts").matchAll(
    /^import \* as \w+ from "\.\/([\w-]+\.ts)";$/gm,
  );
  for (const [, file] of imports) {
    const module = (await import(new URL(`../../src/cli/${file}`, import.meta.url).href)) as {
      register(program: Command): void;
    };
    module.register(program);
  }
  return program;
}

/** The command that the words name, up to its arguments; undefined where one of them names none. */
function findCommand(program: Command, words: readonly string[]): Command | undefined {
  let command = program;
  for (const word of words) {
    if (command.commands.length === 0) return command;
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) return undefined;
    command = next;
  }
  return command;
}

describe("docs: commands", () => {
  const written = pages.flatMap(({ path, text }) => writtenIn(path, text));
  it("every `npx edge …` on a page is a command, with options that it has", async () => {
    const program = await loadProgram();
    const help = (await edge(["--help"])).stdout;
    for (const command of program.commands) expect(help).toContain(`\n  ${command.name()} `);
    const globalOptions = help.match(/--[a-z][a-z-]*/g) ?? [];

    const unknown = written.flatMap(({ path, words, options }) => {
      const command = findCommand(program, words[0] === "help" ? words.slice(1) : words);
      const line = `${path}: npx edge ${words.join(" ")}`;
      if (command === undefined) return [line];
      const known = [...command.options.map(({ long }) => long), ...globalOptions];
      return options.filter((option) => !known.includes(option)).map((option) => `${line} … ${option}`);
    });
    expect(unknown).toEqual([]);
    expect(written.length).toBeGreaterThan(20);
  });

  it("every `npm run …` on a page is a script", () => {
    const { scripts } = parseJson(readRepositoryFile("package.json"));
    const unknown = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/npm run ([\w:-]+)/g)]
        .map((match) => match[1] ?? "")
        .filter((name) => !Object.hasOwn(scripts as object, name))
        .map((name) => `${path}: npm run ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});
