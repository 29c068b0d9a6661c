import { describe, expect, it } from "vitest";
import { isBrowserOrigin } from "../../src/core/browser-origin.ts";
import { type Config, parseConfig } from "../../src/core/config.ts";

const POOL = { id: "us-east-2_Ab12Cd34E", client_ids: ["app-client"] };
const REQUIRED = { ORIGIN_URL: "https://origin.example/prod", USER_POOLS: [POOL] };
const ISSUER = { issuer: "https://id.example/pool", jwks_url: "https://id.example/pool/jwks.json?v=1" };

const faultsIn = (vars: unknown): readonly string[] => {
  const parsed = parseConfig(vars);
  return parsed.ok ? [] : parsed.faults;
};
const configOf = (vars: Record<string, unknown>): Config => {
  const parsed = parseConfig({ ...REQUIRED, ...vars });
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return parsed.value;
};
const withVar = (name: string, value: unknown) => faultsIn({ ...REQUIRED, [name]: value });
const withPool = (fields: Record<string, unknown>) =>
  faultsIn({ ...REQUIRED, USER_POOLS: [{ ...POOL, ...fields }] });

describe("the smallest configuration", () => {
  it("has every default", () => {
    const issuers = [
      {
        issuer: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_Ab12Cd34E",
        jwksUrl: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_Ab12Cd34E/.well-known/jwks.json",
        form: "original",
      },
      {
        issuer: "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_Ab12Cd34E",
        jwksUrl:
          "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_Ab12Cd34E/.well-known/jwks.json",
        form: "updated",
      },
    ];
    const pool = { id: "us-east-2_Ab12Cd34E", clientIds: new Set(["app-client"]), issuers };
    expect(configOf({})).toEqual({
      defaultOrigin: { baseUrl: "https://origin.example/prod", host: "origin.example", basePath: "/prod" },
      origins: new Map(),
      pools: [pool],
      issuers: new Map(issuers.map((issuer) => [issuer.issuer, { issuer, pool }])),
      corsOrigins: [],
      expToleranceSeconds: 0,
      skewToleranceSeconds: 30,
      originTimeoutMs: 30_000,
      forwardAuthorization: true,
      mode: "enforce",
      realm: "edge",
    });
  });

  it("is frozen, and holds no secret where there is none", () => {
    expect(Object.isFrozen(configOf({}))).toBe(true);
    expect(configOf({})).not.toHaveProperty("originSecret");
    expect(configOf({}).pools[0]).not.toHaveProperty("resources");
  });

  it("does not change when the tables that it was read from do", () => {
    const client_ids = ["app-client"];
    const resources = ["urn:a"];
    const CORS_ORIGINS = ["https://app.example"];
    const config = configOf({ USER_POOLS: [{ ...POOL, client_ids, resources }], CORS_ORIGINS });
    client_ids.push("other");
    resources.push("urn:b");
    CORS_ORIGINS.push("https://other.example");
    expect(config.pools[0]).toMatchObject({ clientIds: new Set(["app-client"]), resources: ["urn:a"] });
    expect(config.corsOrigins).toEqual(["https://app.example"]);
  });

  it("takes no notice of other members: they are bindings", () => {
    expect(withVar("JWKS", { get: () => null })).toEqual([]);
    expect(configOf({ SOMETHING: "else" })).toEqual(configOf({}));
  });
});

describe("variables as .dev.vars gives them", () => {
  it("are read like typed ones", () => {
    const typed = {
      ORIGINS: { billing: "http://127.0.0.1:3000/b/" },
      USER_POOLS: [{ ...POOL, issuers: [ISSUER], resources: ["https://api.example"] }],
      CORS_ORIGINS: ["https://app.example"],
      EXP_TOLERANCE_SECONDS: 5,
      SKEW_TOLERANCE_SECONDS: 0,
      ORIGIN_TIMEOUT_MS: 1500,
      FORWARD_AUTHORIZATION: false,
    };
    const text = Object.fromEntries(
      Object.entries(typed).map(([name, value]) => [name, JSON.stringify(value)]),
    );
    expect(configOf(text)).toEqual(configOf(typed));
    expect(configOf(typed)).toMatchObject({
      corsOrigins: ["https://app.example"],
      expToleranceSeconds: 5,
      skewToleranceSeconds: 0,
      originTimeoutMs: 1500,
      forwardAuthorization: false,
    });
  });

  it("are faults where their text is no such value", () => {
    expect(
      faultsIn({
        ORIGIN_URL: "",
        ORIGINS: "{",
        USER_POOLS: "[{]",
        CORS_ORIGINS: "https://app.example",
        EXP_TOLERANCE_SECONDS: "five",
        SKEW_TOLERANCE_SECONDS: "",
        ORIGIN_TIMEOUT_MS: " ",
        FORWARD_AUTHORIZATION: "yes",
        MODE: '"report"',
        REALM: "",
      }),
    ).toEqual([
      "ORIGIN_URL: must be an https URL without user name (http only on a loopback host)",
      "ORIGINS: must be a table of names and URLs",
      "USER_POOLS: must be an array of tables, one for each user pool",
      "CORS_ORIGINS: must be an array",
      "EXP_TOLERANCE_SECONDS: must be a number of seconds from 0 to 300",
      "SKEW_TOLERANCE_SECONDS: must be a number of seconds from 0 to 300",
      "ORIGIN_TIMEOUT_MS: must be a positive number of milliseconds",
      "FORWARD_AUTHORIZATION: must be true or false",
      "MODE: must be enforce or report",
      "REALM: must be printable ASCII without quotes and backslashes",
    ]);
  });
});

describe("ORIGIN_URL", () => {
  it.each([
    ["https://o.example", "https://o.example", "o.example", ""],
    ["https://o.example/", "https://o.example", "o.example", ""],
    ["https://o.example//", "https://o.example", "o.example", ""],
    ["https://o.example/prod", "https://o.example/prod", "o.example", "/prod"],
    ["https://o.example/prod/", "https://o.example/prod", "o.example", "/prod"],
    ["https://o.example/a/b//", "https://o.example/a/b", "o.example", "/a/b"],
    ["https://O.Example:443/prod", "https://o.example/prod", "o.example", "/prod"],
    ["https://o.example:8443/prod", "https://o.example:8443/prod", "o.example:8443", "/prod"],
    ["http://localhost:3000", "http://localhost:3000", "localhost:3000", ""],
    ["http://127.0.0.1/x", "http://127.0.0.1/x", "127.0.0.1", "/x"],
    ["http://127.255.1.2", "http://127.255.1.2", "127.255.1.2", ""],
    ["http://[::1]:3000", "http://[::1]:3000", "[::1]:3000", ""],
  ])("takes %j", (url, baseUrl, host, basePath) => {
    expect(configOf({ ORIGIN_URL: url }).defaultOrigin).toEqual({ baseUrl, host, basePath });
  });

  const INSECURE = "must be an https URL without user name (http only on a loopback host)";
  const COMPLETE = "must have no query, fragment or blank";
  it.each([
    ["o.example", [INSECURE]],
    ["/prod", [INSECURE]],
    ["http://o.example", [INSECURE]],
    ["http://localhost.example", [INSECURE]],
    ["http://x.localhost", [INSECURE]],
    ["http://128.0.0.1", [INSECURE]],
    ["http://127.0.0.1.example", [INSECURE]],
    ["http://1127.0.0.1.example", [INSECURE]],
    ["http://[::2]", [INSECURE]],
    ["ftp://localhost", [INSECURE]],
    ["https://user@o.example", [INSECURE]],
    ["https://:password@o.example", [INSECURE]],
    ["https://o.example/?a", [COMPLETE]],
    ["https://o.example/#a", [COMPLETE]],
    ["https://o.example/a b", [COMPLETE]],
    [" https://o.example", [COMPLETE]],
    ["http://o.example/?a", [INSECURE, COMPLETE]],
    [7, ["must be a URL"]],
    [null, ["must be a URL"]],
  ])("refuses %j", (url, faults) => {
    expect(withVar("ORIGIN_URL", url)).toEqual(faults.map((fault) => `ORIGIN_URL: ${fault}`));
  });

  it("is required", () => {
    expect(faultsIn({ USER_POOLS: [POOL] })).toEqual(["ORIGIN_URL: is missing"]);
  });
});

describe("ORIGINS", () => {
  it("names further origins", () => {
    const { origins } = configOf({
      ORIGINS: { billing: "https://b.example/v2/", audit: "http://localhost:1" },
    });
    expect([...origins]).toEqual([
      ["billing", { baseUrl: "https://b.example/v2", host: "b.example", basePath: "/v2" }],
      ["audit", { baseUrl: "http://localhost:1", host: "localhost:1", basePath: "" }],
    ]);
  });
  it("names each fault by the origin's name", () => {
    expect(withVar("ORIGINS", { a: "http://a.example", b: "https://b.example", c: 1 })).toEqual([
      "ORIGINS.a: must be an https URL without user name (http only on a loopback host)",
      "ORIGINS.c: must be a URL",
    ]);
    for (const value of [1, [], null])
      expect(withVar("ORIGINS", value)).toEqual(["ORIGINS: must be a table of names and URLs"]);
  });
  it("takes any name, those of an object's own members too", () => {
    const { origins } = configOf({
      ORIGINS: '{"constructor":"https://a.example","__proto__":"https://b.example"}',
    });
    expect([...origins.keys()]).toEqual(["constructor", "__proto__"]);
    expect(withVar("ORIGINS", '{"__proto__":"x"}')).toHaveLength(1);
  });
});

describe("USER_POOLS", () => {
  it.each([
    [undefined, ["USER_POOLS: is missing"]],
    [null, ["USER_POOLS: must be an array of tables, one for each user pool"]],
    [{}, ["USER_POOLS: must be an array of tables, one for each user pool"]],
    [[], ["USER_POOLS: must name at least one user pool"]],
    [[[]], ["USER_POOLS.0: must be a table with id and client_ids, and perhaps issuers and resources"]],
    [["x"], ["USER_POOLS.0: must be a table with id and client_ids, and perhaps issuers and resources"]],
    [[{}], ["USER_POOLS.0.id: is missing", "USER_POOLS.0.client_ids: is missing"]],
  ])("refuses %j", (pools, faults) => {
    const { USER_POOLS: _, ...rest } = REQUIRED;
    expect(faultsIn(pools === undefined ? rest : { ...rest, USER_POOLS: pools })).toEqual(faults);
  });

  const ID = "id: must be a user pool id such as us-east-2_Ab12Cd34E";
  const CLIENT = "must be 1 to 128 visible ASCII characters";
  it.each([
    [{ id: "" }, [ID]],
    [{ id: 1 }, [ID]],
    [{ id: "us-east-2" }, [ID]],
    [{ id: "us-east-2_" }, [ID]],
    [{ id: "us-east-2_a-b" }, [ID]],
    [{ id: " us-east-2_a" }, [ID]],
    [{ id: "us-east-2_a " }, [ID]],
    [{ id: "us/east_a" }, [ID]],
    [{ id: "_a" }, [ID]],
    [{ id: `${"a".repeat(54)}_b`, issuers: [ISSUER] }, [ID]],
    [{ client_ids: "app" }, ["client_ids: must be an array of app client ids"]],
    [{ client_ids: ["a", ""] }, [`client_ids.1: ${CLIENT}`]],
    [{ client_ids: ["a b"] }, [`client_ids.0: ${CLIENT}`]],
    [{ client_ids: ["é"] }, [`client_ids.0: ${CLIENT}`]],
    [{ client_ids: [" a"] }, [`client_ids.0: ${CLIENT}`]],
    [{ client_ids: ["a\u007f"] }, [`client_ids.0: ${CLIENT}`]],
    [{ client_ids: [1] }, [`client_ids.0: ${CLIENT}`]],
    [{ client_ids: ["x".repeat(129)] }, [`client_ids.0: ${CLIENT}`]],
    [{ issuers: ISSUER }, ["issuers: must be an array of tables"]],
    [{ issuers: [] }, ["issuers: must name at least one issuer"]],
    [{ issuers: ["https://id.example"] }, ["issuers.0: must be a table of issuer and jwks_url"]],
    [{ issuers: [{ issuer: "https://id.example" }] }, ["issuers.0.jwks_url: is missing"]],
    [{ issuers: [{ jwks_url: "https://id.example" }] }, ["issuers.0.issuer: is missing"]],
    [{ issuers: [{ ...ISSUER, audience: "x" }] }, ["issuers.0.audience: is not known here"]],
    [
      { issuers: [{ ...ISSUER, issuer: "http://id.example" }] },
      ["issuers.0.issuer: must be an https URL without user name (http only on a loopback host)"],
    ],
    [
      { issuers: [{ ...ISSUER, issuer: "https://id.example?a" }] },
      ["issuers.0.issuer: must have no query, fragment or blank"],
    ],
    [
      { issuers: [{ ...ISSUER, jwks_url: "http://id.example" }] },
      ["issuers.0.jwks_url: must be an https URL without user name (http only on a loopback host)"],
    ],
    [
      { issuers: [{ ...ISSUER, jwks_url: "https://id.example#a" }] },
      ["issuers.0.jwks_url: must have no fragment or blank"],
    ],
    [
      { issuers: [{ ...ISSUER, jwks_url: "https://id.example/a b" }] },
      ["issuers.0.jwks_url: must have no fragment or blank"],
    ],
    [{ resources: "https://api.example" }, ["resources: must be an array of URLs"]],
    [{ resources: [] }, ["resources: must name at least one resource"]],
    [{ resources: ["api"] }, ["resources.0: must be a URL"]],
    [{ resources: ["https://a.example", 1] }, ["resources.1: must be a URL"]],
    [{ clientIds: [] }, ["clientIds: is not known here"]],
    [{ id: "local_pool" }, ["id: names no AWS region, so issuers must be given"]],
    [
      { id: "local_pool", client_ids: 1 },
      ["client_ids: must be an array of app client ids", "id: names no AWS region, so issuers must be given"],
    ],
    [{ id: "us-east-2x_pool" }, ["id: names no AWS region, so issuers must be given"]],
    [{ id: "x-us-east-2_pool" }, ["id: names no AWS region, so issuers must be given"]],
    [{ id: "us-2_pool" }, ["id: names no AWS region, so issuers must be given"]],
    [{ id: "US-EAST-2_pool" }, ["id: names no AWS region, so issuers must be given"]],
    [{ id: "us-east-2_a_b" }, ["id: names no AWS region, so issuers must be given"]],
  ])("refuses a pool with %j", (fields, faults) => {
    expect(withPool(fields)).toEqual(faults.map((fault) => `USER_POOLS.0.${fault}`));
  });

  it.each([
    [{ id: "us-gov-west-1_a" }],
    [{ id: "ap-southeast-10_Zz9" }],
    [{ id: `${"a".repeat(53)}_b`, issuers: [ISSUER] }],
    [{ id: "local_pool", issuers: [ISSUER] }],
    [{ client_ids: [] }],
    [{ client_ids: ["!", "~", "x".repeat(128)] }],
    [{ issuers: [{ issuer: "http://localhost:9229/local", jwks_url: "http://127.0.0.1:9229/jwks.json" }] }],
    [{ issuers: [{ issuer: "https://id.example/", jwks_url: "https://id.example/" }] }],
    [{ resources: ["https://api.example/x?y#z", "urn:api"] }],
  ])("takes a pool with %j", (fields) => {
    expect(withPool(fields)).toEqual([]);
  });

  it("derives the region's own hosts from the id", () => {
    const [pool] = configOf({ USER_POOLS: [{ ...POOL, id: "us-gov-west-1_Z" }] }).pools;
    expect(pool?.issuers.map(({ issuer }) => issuer)).toEqual([
      "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Z",
      "https://issuer-cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_Z",
    ]);
  });

  it("takes explicit issuers instead of the derived ones, to the letter", () => {
    const pools = [
      { ...POOL, issuers: [ISSUER, { ...ISSUER, issuer: "https://ID.example/" }], resources: ["urn:a"] },
    ];
    const config = configOf({ USER_POOLS: pools });
    expect(config.pools[0]?.issuers).toEqual([
      {
        issuer: "https://id.example/pool",
        jwksUrl: "https://id.example/pool/jwks.json?v=1",
        form: "explicit",
      },
      { issuer: "https://ID.example/", jwksUrl: "https://id.example/pool/jwks.json?v=1", form: "explicit" },
    ]);
    expect(config.pools[0]?.resources).toEqual(["urn:a"]);
    expect([...config.issuers.keys()]).toEqual(["https://id.example/pool", "https://ID.example/"]);
  });

  it("leads each issuer to its own pool", () => {
    const config = configOf({ USER_POOLS: [POOL, { id: "eu-west-1_B", client_ids: ["b"] }] });
    expect(config.issuers.size).toBe(4);
    for (const { issuer, pool } of config.issuers.values()) {
      expect(pool.issuers).toContain(issuer);
      expect(config.issuers.get(issuer.issuer)).toEqual({ issuer, pool });
      expect(issuer.issuer.endsWith(pool.id)).toBe(true);
    }
  });

  it("refuses what is wrong in members that cannot be listed", () => {
    const hidden = {
      issuers: { value: [{ ...ISSUER, issuer: "http://id.example" }] },
      resources: { value: 5 },
    };
    expect(faultsIn({ ...REQUIRED, USER_POOLS: [Object.defineProperties({ ...POOL }, hidden)] })).toEqual([
      "USER_POOLS.0.issuers.0.issuer: must be an https URL without user name (http only on a loopback host)",
      "USER_POOLS.0.resources: must be an array of URLs",
    ]);
  });

  it("refuses a pool or an issuer that stands twice", () => {
    const other = { id: "eu-west-1_B", client_ids: ["b"] };
    expect(faultsIn({ ...REQUIRED, USER_POOLS: [POOL, other, POOL] })).toEqual([
      "USER_POOLS.2.id: stands twice",
      "USER_POOLS.2.issuers: an issuer of it stands twice",
      "USER_POOLS.2.issuers: an issuer of it stands twice",
    ]);
    const shared = [
      { ...POOL, issuers: [ISSUER] },
      { ...other, issuers: [ISSUER] },
    ];
    expect(faultsIn({ ...REQUIRED, USER_POOLS: shared })).toEqual([
      "USER_POOLS.1.issuers: an issuer of it stands twice",
    ]);
    expect(withPool({ issuers: [ISSUER, ISSUER] })).toEqual([
      "USER_POOLS.0.issuers: an issuer of it stands twice",
    ]);
  });

  it("refuses all that is wrong with several pools at once", () => {
    const pools = [{ ...POOL, client_ids: [""] }, { id: "local_pool", client_ids: [] }, POOL];
    expect(faultsIn({ ORIGIN_URL: "x", USER_POOLS: pools })).toEqual([
      "ORIGIN_URL: must be an https URL without user name (http only on a loopback host)",
      `USER_POOLS.0.client_ids.0: ${CLIENT}`,
      "USER_POOLS.1.id: names no AWS region, so issuers must be given",
      "USER_POOLS.2.id: stands twice",
      "USER_POOLS.2.issuers: an issuer of it stands twice",
      "USER_POOLS.2.issuers: an issuer of it stands twice",
    ]);
  });
});

describe("tolerances", () => {
  it.each([
    ["EXP_TOLERANCE_SECONDS", "expToleranceSeconds"],
    ["SKEW_TOLERANCE_SECONDS", "skewToleranceSeconds"],
  ] as const)("%s reach from 0 to 300 seconds", (name, member) => {
    for (const [value, seconds] of [
      [0, 0],
      [1, 1],
      [300, 300],
      [0.5, 0.5],
      ["0", 0],
      ["300", 300],
      [" 7 ", 7],
    ] as const)
      expect(configOf({ [name]: value })[member], JSON.stringify(value)).toBe(seconds);
    for (const value of [301, -1, 300.1, "301", "-1", "x", "", " ", true, null, [], Number.NaN, "Infinity"])
      expect(withVar(name, value), JSON.stringify(value)).toEqual([
        `${name}: must be a number of seconds from 0 to 300`,
      ]);
  });
});

describe("ORIGIN_TIMEOUT_MS", () => {
  it("reaches from 1 to what a timer takes", () => {
    for (const value of [1, 30_000, 2_147_483_647])
      expect(configOf({ ORIGIN_TIMEOUT_MS: value }).originTimeoutMs).toBe(value);
    expect(configOf({ ORIGIN_TIMEOUT_MS: "1500" }).originTimeoutMs).toBe(1500);
    for (const value of [0, -1, 2_147_483_648, "0", "", "1s", false])
      expect(withVar("ORIGIN_TIMEOUT_MS", value), JSON.stringify(value)).toEqual([
        "ORIGIN_TIMEOUT_MS: must be a positive number of milliseconds",
      ]);
  });
});

describe("FORWARD_AUTHORIZATION", () => {
  it("is true or false, as a boolean or as its word", () => {
    for (const value of [true, "true", " true "])
      expect(configOf({ FORWARD_AUTHORIZATION: value }).forwardAuthorization).toBe(true);
    for (const value of [false, "false"])
      expect(configOf({ FORWARD_AUTHORIZATION: value }).forwardAuthorization).toBe(false);
    for (const value of [0, 1, "0", "", "no", "TRUE", null, {}])
      expect(withVar("FORWARD_AUTHORIZATION", value), JSON.stringify(value)).toEqual([
        "FORWARD_AUTHORIZATION: must be true or false",
      ]);
  });
});

describe("MODE", () => {
  it("is enforce or report, to the letter", () => {
    for (const mode of ["enforce", "report"]) expect(configOf({ MODE: mode }).mode).toBe(mode);
    for (const mode of ["", "Report", "off", true, null])
      expect(withVar("MODE", mode)).toEqual(["MODE: must be enforce or report"]);
  });
});

describe("REALM", () => {
  it("is what a quoted string can hold", () => {
    for (const realm of ["a", "my api!", " ", "#[]~", "a=b,c"])
      expect(configOf({ REALM: realm }).realm).toBe(realm);
    for (const realm of ["", 'a"b', "a\\b", "é", "a\nb", "a\u007f", 1, null])
      expect(withVar("REALM", realm), JSON.stringify(realm)).toEqual([
        "REALM: must be printable ASCII without quotes and backslashes",
      ]);
  });
});

describe("CORS_ORIGINS", () => {
  it("are exact origins", () => {
    expect(configOf({ CORS_ORIGINS: ["https://a.example", "http://localhost:5173"] }).corsOrigins).toEqual([
      "https://a.example",
      "http://localhost:5173",
    ]);
    expect(withVar("CORS_ORIGINS", ["https://a.example", "https://b.example/", "*", 1])).toEqual([
      "CORS_ORIGINS.1: must be an exact origin such as https://app.example.com",
      "CORS_ORIGINS.2: must be an exact origin such as https://app.example.com",
      "CORS_ORIGINS.3: must be an origin",
    ]);
    expect(withVar("CORS_ORIGINS", ['["https://a.example"]'])).toEqual([
      "CORS_ORIGINS.0: must be an exact origin such as https://app.example.com",
    ]);
    expect(withVar("CORS_ORIGINS", {})).toEqual(["CORS_ORIGINS: must be an array"]);
  });

  it.each([
    ["https://a.example", true],
    ["http://a.example", true],
    ["https://a.example:8443", true],
    ["http://[::1]:3000", true],
    ["capacitor://localhost", true],
    ["a1+.-://a-b.example:65535", true],
    ["https://a.example:443", false],
    ["https://A.example", false],
    ["https://a.example/", false],
    ["https://a.example/x", false],
    ["https://a.example?x", false],
    ["https://user@a.example", false],
    [" https://a.example", false],
    ["capacitor://localhost/", false],
    ["capacitor://", false],
    ["Capacitor://localhost", false],
    ["capacitor://local host", false],
    ["capacitor:localhost", false],
    ["capacitor://localhost:", false],
    ["x capacitor://localhost", false],
    ["file:///x", false],
    ["data:text/plain,x", false],
    ["null", false],
    ["*", false],
    ["a.example", false],
    ["", false],
  ])("are what a browser sends: %j is %j", (text, expected) => {
    expect(isBrowserOrigin(text)).toBe(expected);
  });
});

describe("ORIGIN_SECRET", () => {
  it.each([
    ["one", "one"],
    ["one,two", "one"],
    [" one , two ", "one"],
    ["!~", "!~"],
  ])("%j is sent as %j", (secret, sent) => {
    expect(configOf({ ORIGIN_SECRET: secret }).originSecret).toBe(sent);
  });

  it.each(["", " ", ",", "one,", ",two", "a,b,c", "a b", "é", "a\u007f", "a\nb", "a,b c"])(
    "%j is a fault, which does not repeat it",
    (secret) => {
      expect(withVar("ORIGIN_SECRET", secret)).toEqual([
        "ORIGIN_SECRET: must be one value, or two separated by a comma, of visible ASCII characters",
      ]);
    },
  );

  it("must be a string", () => {
    expect(withVar("ORIGIN_SECRET", 12345)).toEqual(["ORIGIN_SECRET: must be a string"]);
  });
});

describe("faults", () => {
  it("are named all at once, by path", () => {
    expect(
      faultsIn({
        ORIGINS: { a: "x" },
        USER_POOLS: [{ ...POOL, extra: 1 }],
        MODE: "off",
        ORIGIN_SECRET: "planted secret",
      }),
    ).toEqual([
      "ORIGIN_URL: is missing",
      "ORIGINS.a: must be an https URL without user name (http only on a loopback host)",
      "USER_POOLS.0.extra: is not known here",
      "MODE: must be enforce or report",
      "ORIGIN_SECRET: must be one value, or two separated by a comma, of visible ASCII characters",
    ]);
  });

  it("never repeat a value", () => {
    const planted = "planted-value with blank";
    const names = [
      ...["ORIGIN_URL", "ORIGINS", "USER_POOLS", "CORS_ORIGINS", "EXP_TOLERANCE_SECONDS"],
      ...["SKEW_TOLERANCE_SECONDS", "ORIGIN_TIMEOUT_MS", "FORWARD_AUTHORIZATION", "MODE", "ORIGIN_SECRET"],
    ];
    const faults = faultsIn(Object.fromEntries(names.map((name) => [name, planted])));
    expect(new Set(faults.map((fault) => fault.split(":")[0]))).toEqual(new Set(names));
    expect(faults.join("\n")).not.toContain("planted");
    expect(faultsIn(planted)).toEqual(["must be a table of variables"]);
    expect(faultsIn(undefined)).toEqual(["must be a table of variables"]);
  });
});
