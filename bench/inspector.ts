/** As much of V8's inspector as the benchmark asks. */
export interface Inspector {
  /** Bytes that the isolate's heap and its buffers hold. workerd collects no garbage on the inspector's word. */
  heapBytes(): Promise<number>;
  close(): void;
}

interface Reply {
  readonly id?: number;
  readonly result?: { readonly usedSize?: number; readonly backingStorageSize?: number };
}

/** Connects to the inspector of a Worker. */
export async function createInspector(url: string): Promise<Inspector> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", () => reject(new Error("the inspector does not answer")), {
      once: true,
    });
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastId = 0;
  socket.addEventListener("message", ({ data }) => {
    const reply = JSON.parse(String(data)) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  const command = (method: string): Promise<Reply> =>
    new Promise((resolve) => {
      lastId += 1;
      waiting.set(lastId, resolve);
      socket.send(JSON.stringify({ id: lastId, method }));
    });
  return {
    async heapBytes() {
      const { result } = await command("Runtime.getHeapUsage");
      return (result?.usedSize ?? Number.NaN) + (result?.backingStorageSize ?? 0);
    },
    close: () => socket.close(),
  };
}
