import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { figuresOf } from "./figures.ts";
import { measureFootprint } from "./footprint.ts";
import { measureNode } from "./node-verification.ts";
import { measureParts } from "./parts.ts";
import { pictureOf } from "./picture.ts";
import { markdownOf, updatePage } from "./report.ts";
import { KNOWN_TOKENS, measureRequests } from "./requests.ts";
import { joinPasses, type Measurement, type Results, rowOf } from "./result.ts";
import { FULL, QUICK, type Scale } from "./scale.ts";
import { createSigner, idToken, manyOf } from "./tokens.ts";
import { createWorkloads, measureVerification } from "./verification.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const CONTENDERS = ["jose", "aws-jwt-verify", "hono", "fast-jwt", "itty-router"];
const USAGE = `npm run bench [-- --quick] [-- --out FOLDER]

Measures the gateway against other libraries and writes bench/results.json, docs/performance.svg and the table in
docs/performance.md. --quick only shows that everything runs; it writes to --out, default reports/bench.`;

async function versionOf(name: string): Promise<string> {
  const manifest = await readFile(join(ROOT, "node_modules", name, "package.json"), "utf8");
  return String((JSON.parse(manifest) as { version: unknown }).version);
}

const workerdVersion = (): string =>
  String(createRequire(createRequire(import.meta.url).resolve("miniflare"))("workerd/package.json").version);

const say = (text: string): void => console.error(text);

/** One pass over everything, with tokens of its own: they live for an hour. */
async function measureOnce(scale: Scale): Promise<Measurement[]> {
  const count = Math.max(scale.knownTokens, KNOWN_TOKENS + scale.firstSeenTokens);
  say(`Signing ${count} tokens …`);
  const signer = await createSigner();
  const issuedAt = Math.floor(Date.now() / 1000) - 60;
  const tokens = await manyOf(count, () => idToken(signer, issuedAt));
  const known = tokens.slice(0, scale.knownTokens);
  const workloads = await createWorkloads(signer, known);
  say("Verification and decision in workerd …");
  const verification = await measureVerification(workloads, scale);
  say("Whole requests …");
  const requests = await measureRequests(signer, tokens, scale);
  say("Parts of a whole request …");
  const parts = await measureParts(signer, tokens[0] ?? "", scale);
  say("Verification in Node …");
  const node = await measureNode(workloads, scale);
  say("Bundle, start-up, memory …");
  return [...verification, ...requests, ...parts, ...node, ...(await measureFootprint(signer, known, scale))];
}

async function measure(scale: Scale): Promise<Measurement[]> {
  const passes: Measurement[][] = [];
  for (let pass = 1; pass <= scale.passes; pass += 1) {
    say(`Pass ${pass} of ${scale.passes}`);
    passes.push(await measureOnce(scale));
  }
  return joinPasses(passes);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: "boolean" }, out: { type: "string" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return console.log(USAGE);
  const loadAverage = loadavg()[0] ?? 0;
  const cores = cpus();
  if (loadAverage > cores.length / 2)
    console.error(`The machine is busy (load ${loadAverage.toFixed(1)}): the numbers will be worth little.`);
  const measurements = await measure(values.quick ? QUICK : FULL);
  const versions = await Promise.all(CONTENDERS.map(async (name) => [name, await versionOf(name)] as const));
  const results: Results = {
    date: new Date().toISOString(),
    scale: values.quick ? "quick" : "full",
    machine: {
      cpu: cores[0]?.model ?? "unknown",
      cores: cores.length,
      node: process.versions.node,
      workerd: workerdVersion(),
    },
    loadAverage,
    versions: Object.fromEntries(versions),
    rows: measurements.map(rowOf),
    figures: figuresOf(measurements),
  };
  const markdown = markdownOf(results);
  const json = `${JSON.stringify(results, null, 2)}\n`;
  console.log(markdown);
  const folder = values.out ?? (values.quick ? join(ROOT, "reports/bench") : undefined);
  if (folder !== undefined) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "results.json"), json);
    await writeFile(join(folder, "performance.svg"), pictureOf(results));
    return;
  }
  await writeFile(join(ROOT, "bench/results.json"), json);
  await writeFile(join(ROOT, "docs/performance.svg"), pictureOf(results));
  await updatePage(join(ROOT, "docs/performance.md"), markdown);
}

await main();
