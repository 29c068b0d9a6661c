const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const PARENT_CHECK_MS = 500;

/**
 * Ends this process, with exit code 0, when it is told to, when its terminal closes, or when npm, which has started
 * it, is gone. To be called before anything is started. There is nothing to wait for: workerd is killed by the exit
 * hook of miniflare, and the servers are this process's own.
 */
export function endOnSignals(): void {
  for (const signal of SIGNALS) process.on(signal, () => process.exit(0));
  process.stdout.on("error", () => process.exit(0)); // the terminal, or the reader of a pipe, is gone
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const npm = process.ppid; // npm, or the shell that it has started; some shells pass no signal on
  setInterval(() => {
    if (process.ppid !== npm) process.exit(0);
  }, PARENT_CHECK_MS).unref();
}
