import { createServer } from "node:net";

/**
 * A process of its own: an origin that costs as little as it can. It answers every request head with the same
 * bytes, and `/jwks.json` with what it got in `BENCH_JWKS`. It prints its port, and ends with its parent.
 */
const BODY = '{"ok":true}';
const respond = (body: string): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const ANSWER = respond(BODY);
const JWKS = respond(process.env["BENCH_JWKS"] ?? "{}");
const HEAD_END = "\r\n\r\n";

const server = createServer({ noDelay: true }, (socket) => {
  let pending = "";
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: string) => {
    pending += chunk;
    for (let end = pending.indexOf(HEAD_END); end !== -1; end = pending.indexOf(HEAD_END)) {
      socket.write(pending.startsWith("GET /jwks.json ") ? JWKS : ANSWER);
      pending = pending.slice(end + HEAD_END.length);
    }
  });
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(typeof address === "object" && address !== null ? address.port : 0);
});
process.on("disconnect", () => process.exit(0));
