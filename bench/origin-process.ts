import { fork } from "node:child_process";

/** The origin, in a process of its own. */
export interface Origin {
  readonly url: string;
  close(): void;
}

/** Starts {@link file://./origin.ts}; `jwks` is what it answers as its key set. */
export async function startOrigin(jwks: unknown): Promise<Origin> {
  const child = fork(new URL("./origin.ts", import.meta.url), {
    env: { ...process.env, BENCH_JWKS: JSON.stringify(jwks) },
  });
  const port = await new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", () => reject(new Error("the origin has ended")));
  });
  return { url: `http://127.0.0.1:${port}`, close: () => child.disconnect() };
}
