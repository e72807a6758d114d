// Addresses that an operator may have the Worker call: the list that the Pulumi program is tested against, too.
import { describe, expect, test } from "vitest";

import list from "../../../docs/contracts/alert-webhook.json";
import { outgoingAddress } from "../../src/outgoing.ts";

describe("an address of a receiver", () => {
  test.each(list.accepted)("%s is accepted from %s", (text, from) => expect(String(outgoingAddress(text ?? "", from ?? ""))).toBe(text));
  test.each(list.refused)("%s from %s %s", (text, from, why) => expect(outgoingAddress(text ?? "", from ?? "")).toBe(why));
  test.each(list.never_accepted)("%s is this machine in disguise", (text) => expect(outgoingAddress(text, "https://splat.example.org")).toBeTypeOf("string"));
});
