import { connect, type Socket } from "node:net";

/** Makes the head of the next request, blank line included. */
export type NextRequest = () => string;

const HEAD_END = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i;

/** One connection that sends a request, waits for its whole answer, and sends the next. */
function drive(port: number, next: () => string | undefined, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let pending = "";
    const sendNext = (): void => {
      const head = next();
      if (head === undefined) {
        socket.end();
        resolve();
      } else socket.write(head, "latin1");
    };
    socket.setEncoding("latin1");
    socket.on("connect", sendNext);
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the Worker closed the connection")));
    socket.on("data", (chunk: string) => {
      pending += chunk;
      const headEnd = pending.indexOf(HEAD_END);
      if (headEnd === -1) return;
      const length = Number(CONTENT_LENGTH.exec(pending)?.[1]);
      if (!pending.startsWith(expected) || Number.isNaN(length)) {
        socket.destroy();
        reject(new Error(`not the expected answer: ${pending.slice(0, 300)}`));
      }
      if (pending.length < headEnd + HEAD_END.length + length) return;
      pending = pending.slice(headEnd + HEAD_END.length + length);
      sendNext();
    });
  });
}

/**
 * Sends `count` requests over `concurrency` kept connections, each with one request under way, and checks the
 * status of every answer. Written on bare sockets so that the generator takes little of the CPU that it shares
 * with what it measures.
 */
export async function sendRequests(
  url: string,
  count: number,
  concurrency: number,
  nextRequest: NextRequest,
  status = 200,
): Promise<void> {
  let left = count;
  const next = (): string | undefined => {
    left -= 1;
    return left < 0 ? undefined : nextRequest();
  };
  const port = Number(new URL(url).port);
  const connections = Array.from({ length: concurrency }, () => drive(port, next, `HTTP/1.1 ${status} `));
  await Promise.all(connections);
}
