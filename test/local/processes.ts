import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { vi } from "vitest";

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  /** `Z`: it has ended, and nobody has asked for its exit code yet. */
  readonly state: string;
}

function readProc(pid: string): ProcessRow[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [{ pid: Number(pid), parent: Number(parent), state }];
  } catch {
    return []; // it has just ended
  }
}

function listProcesses(): readonly ProcessRow[] {
  if (existsSync("/proc/self/stat"))
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap(readProc);
  const lines = execFileSync("ps", ["-axo", "pid=,ppid=,state="], { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state };
  });
}

/** A process and all that it has started, and those have started. */
export function processTree(pid: number): readonly number[] {
  const rows = listProcesses();
  const tree = [pid];
  for (const member of tree)
    tree.push(...rows.filter(({ parent }) => parent === member).map((row) => row.pid));
  return tree;
}

/** Those that run. */
export const running = (pids: readonly number[]): readonly number[] =>
  listProcesses()
    .filter(({ pid, state }) => pids.includes(pid) && !state.startsWith("Z"))
    .map(({ pid }) => pid);

/** Waits until none of them runs; throws after a while, and names those that do. */
export async function waitUntilGone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(
    () => {
      const left = running(pids);
      if (left.length > 0) throw new Error(`still running: ${left.join(", ")}`);
    },
    { timeout: 15_000, interval: 100 },
  );
}

/** Ends what a failed test has left. */
export function kill(pids: readonly number[]): void {
  for (const pid of running(pids)) process.kill(pid, "SIGKILL");
}
