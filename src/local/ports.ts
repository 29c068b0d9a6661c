import { createServer } from "node:net";

/** A reason to end with one line and exit code 1, without a stack trace. */
export class StartError extends Error {}

/** The ports of the local stack; 0 is a free one. */
export interface Ports {
  readonly gateway: number;
  readonly cognito: number;
  readonly api: number;
}

/** How each port is set, for messages and for the help. */
export const PORT_SETTINGS = {
  gateway: { flag: "--port", variable: "EDGE_PORT", standard: 8787, what: "the gateway" },
  cognito: {
    flag: "--cognito-port",
    variable: "EDGE_COGNITO_PORT",
    standard: 8788,
    what: "the Cognito stand-in",
  },
  api: { flag: "--api-port", variable: "EDGE_API_PORT", standard: 8789, what: "the API stand-in" },
} as const;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken",
  EACCES: "is not open to this user",
};

/** What keeps a port from being listened on, as a code of the system; undefined where nothing does. */
function probe(port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(undefined)));
  });
}

/** Rejects with a `StartError` that names every port that cannot be had, and how another is chosen. */
export async function assertPortsFree(ports: Ports): Promise<void> {
  const faults: string[] = [];
  for (const name of ["gateway", "cognito", "api"] as const) {
    const { flag, variable, what } = PORT_SETTINGS[name];
    const port = ports[name];
    const code = await probe(port);
    if (code === undefined) continue;
    const way = `Choose another with ${flag} or ${variable}.`;
    faults.push(`Port ${port}, for ${what}, ${REASONS[code] ?? `cannot be used (${code})`}. ${way}`);
  }
  if (faults.length > 0) throw new StartError(faults.join("\n"));
}
