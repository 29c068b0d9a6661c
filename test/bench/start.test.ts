import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundle } from "../../bench/workerd.ts";

/** A function of the bundle that has a name, with the characters around it. */
interface BundledFunction {
  readonly name: string;
  readonly isCalled: boolean;
  readonly isInParentheses: boolean;
}

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { startOffset: number; endOffset: number; count: number }[];
    }[];
  }[];
}

/** Has a member of each kind that a start looks at, as the policy that ships has. */
const ENTRY = `import { createWorker, definePolicy } from "./src/index.ts";
  export default createWorker(definePolicy({
    roles: ["viewer", "admin"],
    m2mScope: "api/m2m",
    routes: [
      { path: "/v1/webchat/messages", methods: ["POST"], access: "public", cors: ["*"] },
      { path: "/v1/tenants/:tenantId/*", role: "admin", tenantParam: "tenantId" },
      { path: "/v1/reports/*", methods: ["GET"], role: "viewer" },
      { path: "/v1/*" },
    ],
  }));`;

let folder: string;
let functions: readonly BundledFunction[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-start-test-"));
  const script = await bundle(ENTRY, true);
  const file = join(folder, "worker.mjs");
  await writeFile(file, script);
  const coverage = join(folder, "coverage");
  execFileSync(process.execPath, [file], { env: { ...process.env, NODE_V8_COVERAGE: coverage } });
  const [report = ""] = await readdir(coverage);
  const { result } = JSON.parse(await readFile(join(coverage, report), "utf8")) as Coverage;
  const own = result.find(({ url }) => url === pathToFileURL(file).href);
  functions = (own?.functions ?? []).flatMap(({ functionName, ranges: [range] }) => {
    if (functionName === "" || range === undefined) return [];
    const { startOffset, endOffset, count } = range;
    const isInParentheses = script[startOffset - 1] === "(" && script[endOffset] === ")";
    return [{ name: script.slice(startOffset, endOffset), isCalled: count > 0, isInParentheses }];
  });
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the functions with a name that run at the start of an isolate", () => {
  it("are in parentheses, so that V8 reads them once", () => {
    const called = functions.filter(({ isCalled }) => isCalled);
    expect(called.length).toBeGreaterThan(20);
    expect(called.filter(({ isInParentheses }) => !isInParentheses)).toEqual([]);
  });

  it("are the only ones, since what is compiled for no use costs more than to skim it", () => {
    const uncalled = functions.filter(({ isCalled }) => !isCalled);
    expect(uncalled.length).toBeGreaterThan(200);
    expect(uncalled.filter(({ isInParentheses }) => isInParentheses)).toEqual([]);
  });
});
