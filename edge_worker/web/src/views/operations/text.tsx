// Text from the server with its commands and keys set as code. Plain text nodes only.
import { pieces } from "../../operations/words.ts";

export function Text({ children }: { children: string }) {
  return (
    <>
      {pieces(children).map(({ text, code }, index) => (code ? <code key={index}>{text}</code> : text))}
    </>
  );
}
