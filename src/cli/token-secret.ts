import { readFile, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { RefusedError, UsageError } from "./context.ts";

/** Environment variable that a client's secret is taken from. */
export const SECRET_VARIABLE = "EDGE_CLIENT_SECRET";

/** Tells the user something beside the result. */
type Note = (text: string) => void;

async function readSecretFile(file: string, note: Note): Promise<string> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== "win32" && (mode & 0o077) !== 0)
      note(`${file} can be read by other users of this machine; chmod 600 mends that.`);
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new UsageError(`${file} cannot be read (${reason}).`);
  }
}

/** Asks on the terminal without showing what is typed. */
function promptSecret(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  process.stderr.write(question);
  return new Promise((resolve, reject) => {
    reader.once("line", (line) => {
      resolve(line.trim());
      reader.close();
    });
    reader.once("close", () => {
      process.stderr.write("\n");
      reject(new RefusedError("No secret was given.")); // has no effect after a line
    });
  });
}

/** The secret from a file or from the environment; undefined where neither is given. */
export async function givenSecret(file: string | undefined, note: Note): Promise<string | undefined> {
  const secret = file === undefined ? process.env[SECRET_VARIABLE] : await readSecretFile(file, note);
  return secret === "" ? undefined : secret;
}

/** The secret from a file, from the environment, or from a prompt: never from an argument, which `ps` shows. */
export async function requireSecret(file: string | undefined, clientId: string, note: Note): Promise<string> {
  const given = await givenSecret(file, note);
  if (given !== undefined) return given;
  if (!process.stdin.isTTY)
    throw new UsageError(
      `Give the client's secret in ${SECRET_VARIABLE} or with --secret-file: there is no terminal to ask on.`,
    );
  const secret = await promptSecret(`Secret of ${clientId}: `);
  if (secret === "") throw new RefusedError("No secret was given.");
  return secret;
}
