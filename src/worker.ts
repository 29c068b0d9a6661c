import { createWorker } from "./index.ts";
import policy from "./policy.ts";

export default createWorker(policy);
