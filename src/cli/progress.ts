import type { OnProgress } from "./kv-documents.ts";

/** Between lines where there is no terminal whose last line could be written over. */
const LINE_INTERVAL_MS = 2_000;

/** Shows how far long work has come, on standard error; nothing for work that is done in one part. */
export function createProgress(title: string): OnProgress {
  const { stderr } = process;
  let saidAtMs = 0;
  let isSaid = false;
  return (done, total) => {
    const isLast = done >= total;
    if (isLast && !isSaid) return;
    const text = `${title}: ${done} of ${total}`;
    if (stderr.isTTY) stderr.write(`\r${text}${isLast ? "\n" : ""}`);
    else if (isLast || Date.now() - saidAtMs >= LINE_INTERVAL_MS) stderr.write(`${text}\n`);
    else return;
    isSaid = true;
    saidAtMs = Date.now();
  };
}
