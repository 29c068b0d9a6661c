import { readdirSync, readFileSync } from "node:fs";

/** Process ids of the workerd processes that this test process has started; none where there is no `/proc`. */
export function workerdPids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        try {
          const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
          const [, name, parent] = /\((.*)\) \S (\d+)/.exec(stat) ?? [];
          return name === "workerd" && Number(parent) === process.pid;
        } catch {
          return false; // it has ended meanwhile
        }
      });
  } catch {
    return [];
  }
}

/** Bytes of memory that these processes hold at the moment. */
export const residentBytes = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return sum + Number(kilobytes) * 1024;
  }, 0);
