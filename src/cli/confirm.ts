import { createInterface } from "node:readline";
import { RefusedError } from "./context.ts";

/** The first line of standard input, from a terminal or not; undefined where there is none. */
function readAnswer(): Promise<string | undefined> {
  const reader = createInterface({ input: process.stdin });
  return new Promise((resolve) => {
    reader.once("line", (line) => {
      resolve(line);
      reader.close();
    });
    reader.once("close", () => resolve(undefined)); // has no effect after a line
  });
}

/**
 * Asks before a change whose difference has been shown, unless `yes`.
 *
 * @throws {RefusedError} for any answer but yes, and for none.
 */
export async function confirmChange(yes: boolean, question: string): Promise<void> {
  if (yes) return;
  process.stderr.write(`${question} [y/N] `);
  const answer = await readAnswer();
  if (answer === undefined) {
    process.stderr.write("\n");
    throw new RefusedError("Nothing was changed: nobody has answered. Use --yes where nobody can.");
  }
  if (!/^\s*y(?:es)?\s*$/i.test(answer)) throw new RefusedError("Nothing was changed.");
}
