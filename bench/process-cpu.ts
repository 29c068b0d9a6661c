import { readdirSync, readFileSync } from "node:fs";

/** Nanoseconds in one tick of `/proc/<pid>/stat` (USER_HZ, 100 on every Linux that Node runs on). */
const TICK_NS = 10_000_000;

/** Scheduled time of one thread; 0 for one that has just ended. */
function threadNs(pid: number, thread: string): number {
  try {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    return Number(ns);
  } catch {
    return 0;
  }
}

/**
 * Nanoseconds of CPU that the threads of a process have used so far. From the scheduler's own count, or, where
 * the kernel keeps none, from `/proc/<pid>/stat` to 10 ms. Linux only: throws elsewhere.
 */
export function processCpuNs(pid: number): number {
  const sum = readdirSync(`/proc/${pid}/task`).reduce((total, thread) => total + threadNs(pid, thread), 0);
  if (sum > 0) return sum;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const afterName = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(afterName[11]) + Number(afterName[12])) * TICK_NS;
}
