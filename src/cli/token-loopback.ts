import { createServer, type RequestListener, type Server } from "node:http";
import { RefusedError, UsageError } from "./context.ts";

/** Waits for the one redirect of a sign-in. */
export interface LoopbackRedirect {
  /** `http://localhost:PORT/callback`, as the app client has to list it. */
  readonly redirectUri: string;
  /** The parameters of the redirect; rejects after the time limit. */
  readonly parameters: Promise<URLSearchParams>;
  /** Tells the browser how it ended, and stops listening. */
  finish(succeeded: boolean): Promise<void>;
}

const PATH = "/callback";

const page = (text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>edge token login</title><p>${text}</p></html>`;

const PAGES = {
  succeeded: page("You are signed in. This window can be closed."),
  failed: page("The sign-in has failed. The terminal says why."),
};

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer", // the address holds the code
};

function listen(listener: RequestListener, host: string, port: number): Promise<Server> {
  const server = createServer(listener);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

/** Listens on both loopback addresses: `localhost` is either, and Cognito takes http for no other name. */
async function listenOnLoopback(listener: RequestListener, port: number): Promise<Server[]> {
  let first: Server;
  try {
    first = await listen(listener, "127.0.0.1", port);
  } catch {
    throw new UsageError(
      `Port ${port} is taken. Choose another with --port; the app client must list it too.`,
    );
  }
  const second = await listen(listener, "::1", port).catch(() => undefined); // a machine without IPv6
  return second === undefined ? [first] : [first, second];
}

/** Starts to listen for the redirect. `limitMs`: how long the user has to sign in. */
export async function awaitRedirect(port: number, limitMs: number): Promise<LoopbackRedirect> {
  const arrival = Promise.withResolvers<URLSearchParams>();
  const ending = Promise.withResolvers<boolean>();
  const told = Promise.withResolvers<void>();
  arrival.promise.catch(() => undefined); // whoever waits for it sees it
  let hasArrived = false;

  const listener: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (request.method !== "GET" || url.pathname !== PATH || hasArrived) {
      response.writeHead(404, HEADERS).end();
      return;
    }
    hasArrived = true;
    response.once("close", told.resolve);
    arrival.resolve(url.searchParams);
    const succeeded = await ending.promise;
    response
      .writeHead(succeeded ? 200 : 400, { ...HEADERS, connection: "close" })
      .end(succeeded ? PAGES.succeeded : PAGES.failed);
  };

  const servers = await listenOnLoopback(listener, port);
  const timer = setTimeout(
    () => arrival.reject(new RefusedError(`Nobody signed in within ${limitMs / 60_000} minutes.`)),
    limitMs,
  );
  return {
    redirectUri: `http://localhost:${port}${PATH}`,
    parameters: arrival.promise,
    async finish(succeeded) {
      clearTimeout(timer);
      ending.resolve(succeeded);
      if (hasArrived) await told.promise;
      for (const server of servers) {
        server.close();
        server.closeAllConnections(); // browsers open some ahead of need
      }
    },
  };
}
