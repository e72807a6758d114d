// The rate of the stack's GPU: a binding of the server, an answer of the API, and part of each job's input.
import * as z from "zod/mini";

import { amount } from "../schema.ts";

export const PriceSchema = z.object({ gpu: z.string(), usd_per_s: amount, as_of: z.string(), source: z.string() });
export type Price = z.infer<typeof PriceSchema>;
