// An error on its way from an object to the answer.
import { expect, test } from "vitest";

import { ApiError, unwrap } from "../../src/errors.ts";

test("a refusal keeps its status, hint and headers on its way through an object", () => {
  const error = new ApiError("BAD_REQUEST", "This path is a websocket.", { hint: "Poll instead.", status: 426, headers: { upgrade: "websocket" } });
  const { refused: _refused, ...plain } = error.toRefusal();
  expect(() => unwrap(structuredClone(error.toRefusal()))).toThrow(expect.objectContaining(plain));
  expect(error.toResponse().status).toBe(426);
  expect(error.toResponse().headers.get("www-authenticate")).toBe(null);
  expect(new ApiError("UNAUTHENTICATED", "Sign in first.").toResponse().headers.get("www-authenticate")).toBe('Bearer realm="splat"');
});
