import { createServer, type RequestListener } from "node:http";

/** A server of this machine alone. */
export interface LocalServer {
  readonly port: number;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Ends open connections too. Does nothing the second time. */
  stop(): Promise<void>;
}

/** Address of a port on loopback. */
export const loopbackUrl = (port: number): string => `http://127.0.0.1:${port}`;

/** Starts a server on loopback; port 0 takes a free one. Rejects where the port is taken. */
export async function startServer(handler: RequestListener, port: number): Promise<LocalServer> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  const boundPort = typeof address === "object" && address !== null ? address.port : port;
  return {
    port: boundPort,
    url: loopbackUrl(boundPort),
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
