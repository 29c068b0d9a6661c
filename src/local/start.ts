import { assertPortsFree, StartError } from "./ports.ts";
import { endOnSignals } from "./shutdown.ts";
import { readStartOptions } from "./start-options.ts";

endOnSignals();
try {
  const options = readStartOptions(process.argv.slice(2));
  await assertPortsFree(options.ports);
  const { startStack } = await import("./stack.ts"); // heavy: help and faults need not wait for it
  await startStack(options);
} catch (error) {
  process.stderr.write(`${error instanceof StartError ? error.message : (error as Error).stack}\n`);
  process.exit(1); // not only its code: what has started already must end
}
