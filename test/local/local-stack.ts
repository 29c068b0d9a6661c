import { type ChildProcess, spawn } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const READY_MS = 60_000; // generous: the machine of the tests is shared

/** A copy of the project as a clone has it, so that the tests' KV is not the developer's. */
export interface Clone {
  readonly folder: string;
  remove(): Promise<void>;
}

/** Makes a copy; its packages are this project's. */
export async function cloneProject(): Promise<Clone> {
  const folder = await mkdtemp(join(tmpdir(), "edge-local-"));
  for (const name of ["src", "package.json", "wrangler.toml"])
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A process of the tests, and what it has printed. */
export interface Run {
  readonly pid: number;
  output(): string;
  /** The exit code, once it has ended; null where a signal has ended it. */
  readonly exit: Promise<number | null>;
}

/** Environment without what the test runner's own npm has set. */
const cleanEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:npm_|EDGE_)/.test(name)));

/** Starts a command in a group of its own, as a terminal does. `npm` and the project's tools are found. */
export function run(
  folder: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Run {
  const path = `${join(folder, "node_modules", ".bin")}:${process.env["PATH"]}`;
  const child: ChildProcess = spawn(command, args, {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...cleanEnv(), PATH: path, WRANGLER_SEND_METRICS: "false", ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (child.pid === undefined) throw new Error(`${command} cannot be started`);
  return { pid: child.pid, output: () => output, exit };
}

/** Waits until the stack says that it is ready. Throws with what it has printed where it ends before. */
export async function waitUntilReady(stack: Run): Promise<void> {
  let hasEnded = false;
  void stack.exit.then(() => {
    hasEnded = true;
  });
  await vi.waitUntil(() => hasEnded || /^The gateway's log .*Ctrl-C/m.test(stack.output()), {
    timeout: READY_MS,
    interval: 50,
  });
  expect(hasEnded, stack.output()).toBe(false);
}

/** A request as a printed curl line makes it, and what the line above says of its answer. */
export interface PrintedCurl {
  readonly name: string;
  readonly status: number;
  readonly url: string;
  readonly init: RequestInit & { readonly headers: Readonly<Record<string, string>> };
}

/** Words of a shell line: plain ones, and ones in single quotes. */
const shellWords = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");

function readCurl(line: string): Pick<PrintedCurl, "url" | "init"> {
  const [command, flags, ...words] = shellWords(line);
  if (command !== "curl" || flags !== "-si") throw new Error(`not the curl that was expected: ${line}`);
  const headers: Record<string, string> = {};
  const init: RequestInit = {};
  let url = "";
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-X") init.method = words.shift() ?? "";
    else if (word === "-d") init.body = words.shift() ?? "";
    else if (word === "-H") {
      const [name = "", value = ""] = (words.shift() ?? "").split(/: (.*)/s);
      headers[name] = value;
    } else url = word;
  }
  return { url, init: { ...init, headers } };
}

/** Every curl line under a `# status name: story` line. */
export const printedCurls = (output: string): readonly PrintedCurl[] =>
  [...output.matchAll(/^# (\d{3}) ([^:]+): .*\n(curl .*)$/gm)].map(([, status, name = "", line = ""]) => ({
    name,
    status: Number(status),
    ...readCurl(line),
  }));
