import { describe, expect, it } from "vitest";
import { parsePolicy, readPolicy } from "../../../src/core/policy/reading.ts";
import { parsedPolicy, policyFaults, routeOf, routesOf } from "./tables.ts";

const withRoute = (fields: Record<string, unknown>, top: Record<string, unknown> = {}) =>
  policyFaults({ ...top, routes: [{ path: "/x/:id", ...fields }] });

describe("a policy", () => {
  it("fills in every default", () => {
    expect(parsedPolicy({ routes: [{ path: "/*" }] })).toEqual({
      roles: [],
      m2mScope: undefined,
      tenantClaim: "custom:tenant_id",
      roleClaim: "custom:role",
      routes: [
        {
          pattern: { text: "/*", segments: [], open: true },
          methods: undefined,
          access: "authenticated",
          callers: ["user", "m2m"],
          tokenUse: ["id", "access"],
          role: undefined,
          scopes: undefined,
          groups: undefined,
          tenant: true,
          tenantSegment: undefined,
          origin: undefined,
          cors: undefined,
          mode: undefined,
        },
      ],
    });
  });

  it("takes every member as it is given", () => {
    const policy = parsedPolicy({
      roles: ["viewer", "admin"],
      m2mScope: "zen/m2m",
      tenantClaim: "tenant",
      roleClaim: "role",
      routes: [
        {
          path: "/v1/:a/:tenantId",
          methods: ["POST", "DELETE"],
          access: "authenticated",
          callers: ["m2m"],
          tokenUse: ["access"],
          role: "admin",
          scopes: ["a/b", "c"],
          groups: ["staff", "on call"],
          tenant: false,
          tenantParam: "tenantId",
          origin: "billing",
          cors: ["https://app.example", "http://localhost:5173"],
          mode: "report",
        },
      ],
    });
    expect(policy).toMatchObject({
      roles: ["viewer", "admin"],
      m2mScope: "zen/m2m",
      tenantClaim: "tenant",
      roleClaim: "role",
    });
    expect(policy.routes[0]).toEqual({
      pattern: expect.objectContaining({ text: "/v1/:a/:tenantId" }),
      methods: new Set(["POST", "DELETE"]),
      access: "authenticated",
      callers: ["m2m"],
      tokenUse: ["access"],
      role: "admin",
      scopes: ["a/b", "c"],
      groups: ["staff", "on call"],
      tenant: false,
      tenantSegment: 2,
      origin: "billing",
      cors: ["https://app.example", "http://localhost:5173"],
      mode: "report",
    });
  });

  it("brings HEAD along with GET, and with nothing else", () => {
    expect(routeOf({ path: "/x", methods: ["GET"] }).methods).toEqual(new Set(["GET", "HEAD"]));
    expect(routeOf({ path: "/x", methods: ["POST", "GET"] }).methods).toEqual(
      new Set(["POST", "GET", "HEAD"]),
    );
    expect(routeOf({ path: "/x", methods: ["POST"] }).methods).toEqual(new Set(["POST"]));
    expect(routeOf({ path: "/x", methods: ["HEAD"] }).methods).toEqual(new Set(["HEAD"]));
  });

  it("finds the first parameter of tenantParam's name, not a literal of it", () => {
    expect(routeOf({ path: "/t/:t", tenantParam: "t" }).tenantSegment).toBe(1);
    expect(routeOf({ path: "/:t/t/*", tenantParam: "t" }).tenantSegment).toBe(0);
  });

  it("stays as it is when the arrays that it was read from change", () => {
    const route = {
      path: "/x",
      methods: ["POST"],
      callers: ["user"],
      tokenUse: ["id"],
      scopes: ["a"],
      groups: ["a"],
      cors: ["https://a.example"],
    };
    const input = { roles: ["viewer"], routes: [route] };
    const policy = parsedPolicy(input);
    const before = structuredClone(policy);
    for (const array of [input.roles, route.methods, route.callers, route.tokenUse]) array.push("other");
    for (const array of [route.scopes, route.groups, route.cors, input.routes]) array.pop();
    expect(policy).toEqual(before);
  });

  it("keeps the order of the table", () => {
    const texts = routesOf({ path: "/b" }, { path: "/a" }, { path: "/*" }).map(({ pattern }) => pattern.text);
    expect(texts).toEqual(["/b", "/a", "/*"]);
  });
});

describe("faults of a policy", () => {
  it.each([
    [undefined, ["must be a table with routes"]],
    [null, ["must be a table with routes"]],
    ["x", ["must be a table with routes"]],
    [{}, ["routes: is missing"]],
    [{ routes: {} }, ["routes: must be an array"]],
    [{ routes: [] }, ["routes: must not be empty"]],
    [{ routes: [1] }, ["routes.0: must be a table"]],
    [{ routes: [null, { path: "/a" }, "x"] }, ["routes.0: must be a table", "routes.2: must be a table"]],
    [{ routes: [{}] }, ["routes.0.path: is missing"]],
    [{ roles: "admin", routes: [{ path: "/" }] }, ["roles: must be an array of names"]],
    [{ roles: ["a", 1], routes: [{ path: "/" }] }, ["roles.1: must be a name"]],
    [{ roles: ["a", ""], routes: [{ path: "/" }] }, ["roles.1: must not be empty"]],
    [{ roles: ["a", "b", "a"], routes: [{ path: "/" }] }, ["roles: holds a value twice"]],
    [{ m2mScope: "", routes: [{ path: "/" }] }, ["m2mScope: must be a scope"]],
    [{ m2mScope: 1, routes: [{ path: "/" }] }, ["m2mScope: must be a scope"]],
    [{ m2mScope: "a b", routes: [{ path: "/" }] }, ["m2mScope: must be a scope"]],
    [{ tenantClaim: "", routes: [{ path: "/" }] }, ["tenantClaim: must not be empty"]],
    [{ tenantClaim: 1, routes: [{ path: "/" }] }, ["tenantClaim: must be a name"]],
    [{ roleClaim: "", routes: [{ path: "/" }] }, ["roleClaim: must not be empty"]],
    [{ route: [], routes: [{ path: "/" }] }, ["route: is not known here"]],
    [{ a: 1, b: undefined, routes: [{ path: "/" }] }, ["a: is not known here", "b: is not known here"]],
    [[], ["must be a table with routes"]],
    [{ routes: [[]] }, ["routes.0: must be a table"]],
    [
      { roles: ["a", ""], m2mScope: '"', routes: 1 },
      ["roles.1: must not be empty", "m2mScope: must be a scope", "routes: must be an array"],
    ],
  ])("are named: %j", (policy, faults) => {
    expect(policyFaults(policy)).toEqual(faults);
  });

  it.each([
    [{ path: 1 }, ["path: must be a string"]],
    [{ path: "x" }, ["path: must start with /"]],
    [{ paths: "/x" }, ["paths: is not known here"]],
    [{ methods: "GET" }, ["methods: must be an array"]],
    [{ methods: [] }, ["methods: must not be empty: it would let nobody in"]],
    [{ methods: [1] }, ["methods.0: must be a method"]],
    [{ methods: ["GET", "get"] }, ["methods.1: must be a method in capitals"]],
    [{ methods: ["GET "] }, ["methods.0: must be a method in capitals"]],
    [{ methods: [" GET"] }, ["methods.0: must be a method in capitals"]],
    [{ methods: ["-A"] }, ["methods.0: must be a method in capitals"]],
    [{ methods: [""] }, ["methods.0: must be a method in capitals"]],
    [{ methods: ["*"] }, ["methods.0: must be a method in capitals"]],
    [
      { methods: ["CONNECT", "TRACE"] },
      ["methods.0: is never served by the gateway", "methods.1: is never served by the gateway"],
    ],
    [{ access: "open" }, ["access: must be authenticated, public or deny"]],
    [{ callers: ["people"] }, ["callers.0: must be user or m2m"]],
    [{ callers: [] }, ["callers: must not be empty: it would let nobody in"]],
    [{ tokenUse: ["refresh"] }, ["tokenUse.0: must be id or access"]],
    [{ tokenUse: [] }, ["tokenUse: must not be empty: it would let nobody in"]],
    [{ role: "owner" }, ["role: is not one of roles"]],
    [{ role: 1 }, ["role: must be a name"]],
    [{ scopes: [] }, ["scopes: must not be empty: it would let nobody in"]],
    [{ scopes: ["a", 'b"'] }, ["scopes.1: must be a scope"]],
    [{ scopes: "a" }, ["scopes: must be an array"]],
    [{ groups: [] }, ["groups: must not be empty: it would let nobody in"]],
    [{ groups: [""] }, ["groups.0: must not be empty"]],
    [{ groups: [1] }, ["groups.0: must be a name"]],
    [{ tenant: "false" }, ["tenant: must be true or false"]],
    [{ tenantParam: "tenant" }, ["tenantParam: is not a parameter of the path"]],
    [{ tenantParam: "x" }, ["tenantParam: is not a parameter of the path"]],
    [{ tenantParam: 1 }, ["tenantParam: must be a name"]],
    [{ origin: "" }, ["origin: must not be empty"]],
    [{ origin: 1 }, ["origin: must be a name"]],
    [{ cors: "*" }, ["cors: must be an array of origins"]],
    [{ cors: [1] }, ["cors.0: must be an origin"]],
    [
      { cors: ["*", "https://a.example"] },
      ['cors: must be exact origins such as https://app.example.com, or ["*"] alone'],
    ],
    [
      { cors: ["https://a.example", "*"] },
      ['cors: must be exact origins such as https://app.example.com, or ["*"] alone'],
    ],
    [
      { cors: ["https://a.example/"] },
      ['cors: must be exact origins such as https://app.example.com, or ["*"] alone'],
    ],
    [{ cors: ["null"] }, ['cors: must be exact origins such as https://app.example.com, or ["*"] alone']],
    [{ mode: "log" }, ["mode: must be enforce or report"]],
    [{ tenantId: "id" }, ["tenantId: is not known here"]],
    [
      { hasOwnProperty: 1, toString: 2 },
      ["hasOwnProperty: is not known here", "toString: is not known here"],
    ],
    [
      { cors: [1, "null"] },
      [
        "cors.0: must be an origin",
        'cors: must be exact origins such as https://app.example.com, or ["*"] alone',
      ],
    ],
    [{ mode: null }, ["mode: must be enforce or report"]],
  ])("of a route are named: %j", (fields, faults) => {
    expect(withRoute(fields)).toEqual(faults.map((fault) => `routes.0.${fault}`));
  });

  it.each([
    [{ methods: ["GET", "PROPFIND", "M-SEARCH", "A"] }],
    [{ access: "authenticated" }],
    [{ access: "public" }],
    [{ access: "deny" }],
    [
      {
        access: "public",
        callers: ["user"],
        tokenUse: ["id"],
        tenant: true,
        cors: ["*"],
        origin: "x",
        mode: "report",
      },
    ],
    [{ scopes: ["!#[]~", "openid"] }],
    [{ cors: ["*"] }],
    [{ cors: [] }],
    [{ mode: "enforce" }],
    [{ tenantParam: "id" }],
  ])("are none: %j", (fields) => {
    expect(withRoute(fields)).toEqual([]);
  });

  it("are none where a member is given as undefined", () => {
    const route = { methods: undefined, role: undefined, cors: undefined, tenant: undefined };
    expect(withRoute(route, { roles: undefined, m2mScope: undefined })).toEqual([]);
    expect(policyFaults({ routes: undefined })).toEqual(["routes: is missing"]);
    expect(withRoute({ path: undefined })).toEqual(["routes.0.path: is missing"]);
  });

  it("are looked for in every member that would hold, whether it can be listed or not", () => {
    class Closed {
      readonly path = "/admin/*";
      readonly access = "deny";
      get methods(): readonly string[] {
        return ["delete"];
      }
    }
    const inherited: unknown = Object.assign(Object.create({ role: 1, colour: "red" }), { path: "/x" });
    const hidden = Object.defineProperty({ path: "/y" }, "callers", { value: "m2m" });
    expect(policyFaults({ routes: [new Closed(), inherited, hidden] })).toEqual([
      "routes.0.methods.0: must be a method in capitals",
      "routes.1.role: must be a name",
      "routes.1.colour: is not known here",
      "routes.2.callers: must be an array",
    ]);
  });

  it("are named for a hole in an array, as for any other missing item", () => {
    const methods = ["GET"];
    methods.length = 2;
    expect(withRoute({ methods })).toEqual(["routes.0.methods.1: must be a method"]);
    const routes = [{ path: "/a" }];
    routes.length = 2;
    expect(policyFaults({ routes })).toEqual(["routes.1: must be a table"]);
  });

  it("are only about the ladder where the role is not in it", () => {
    expect(withRoute({ role: "agent" }, { roles: ["agent"] })).toEqual([]);
    expect(withRoute({ role: "agent" }, { roles: ["Agent"] })).toEqual([
      "routes.0.role: is not one of roles",
    ]);
  });

  it("are not about the role where only another rung of the ladder is wrong", () => {
    const policy = { roles: ["viewer", 3], routes: [{ path: "/a", role: "viewer" }] };
    expect(policyFaults(policy)).toEqual(["roles.1: must be a name"]);
  });

  it.each(["public", "deny"])("say what has no effect on a %s route", (access) => {
    const asked = { role: "a", scopes: ["s"], groups: ["g"], tenantParam: "id" };
    expect(withRoute({ access, ...asked }, { roles: ["a"] })).toEqual(
      ["role", "scopes", "groups", "tenantParam"].map(
        (field) => `routes.0.${field}: has no effect on a ${access} route`,
      ),
    );
    expect(withRoute({ access: "authenticated", ...asked }, { roles: ["a"] })).toEqual([]);
  });

  it("are named all at once, whatever else is wrong: of the head, of fields, between fields, of reach", () => {
    expect(
      policyFaults({
        roles: ["viewer"],
        tenantClaim: 7,
        extra: 1,
        routes: [
          { path: "/a/:x/:x", methods: ["get"], role: "root", colour: "red" },
          "route",
          { path: "/v1/*", role: "boss" },
          { path: "/v1/:id", tenantParam: "tenant", callers: [] },
          { path: "/v1/deep/er", role: "viewer", access: "public" },
          { path: "/v1/x" },
        ],
      }),
    ).toEqual([
      "tenantClaim: must be a name",
      "extra: is not known here",
      "routes.0.path: has the parameter x twice",
      "routes.0.methods.0: must be a method in capitals",
      "routes.0.colour: is not known here",
      "routes.0.role: is not one of roles",
      "routes.1: must be a table",
      "routes.2.role: is not one of roles",
      "routes.3.callers: must not be empty: it would let nobody in",
      "routes.3.tenantParam: is not a parameter of the path",
      "routes.4.role: has no effect on a public route",
      "routes.4: can never be reached, since earlier routes take all that it takes",
      "routes.5: can never be reached, since earlier routes take all that it takes",
    ]);
  });

  it("are all that a faulty policy gives; reach is another matter", () => {
    expect(parsePolicy({ routes: [] })).toEqual({ ok: false, faults: ["routes: must not be empty"] });
    expect(parsePolicy({ routes: [{ path: "/*" }, { path: "/a" }] })).toMatchObject({ ok: true });
  });

  it("do not hide what could be read", () => {
    const { faults, reaches } = readPolicy({
      routes: [{ path: "x" }, { path: "/y", methods: ["GET"], role: "r" }],
    });
    expect(faults).toEqual(["routes.0.path: must start with /", "routes.1.role: is not one of roles"]);
    expect(reaches).toEqual([
      undefined,
      { pattern: expect.objectContaining({ text: "/y" }), methods: new Set(["GET", "HEAD"]) },
    ]);
    expect(readPolicy({ routes: [{ path: "/y" }] }).reaches[0]?.methods).toBeUndefined();
  });
});
