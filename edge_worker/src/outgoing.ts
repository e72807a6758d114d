// Which addresses that an operator configures may be called: public ones over https, and this machine's own on a local stack.
// Pure. What a name resolves to is the platform's concern: a Worker reaches no private network.

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The address, or why it is not accepted. workerUrl: on a local stack the receiver may be on this machine, too. */
export function outgoingAddress(text: string, workerUrl: string): URL | string {
  if (!URL.canParse(text)) return "is not an address";
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return "contains a user name or a password";
  if (LOOPBACK.test(url.hostname)) {
    const isLocal = URL.canParse(workerUrl) && LOOPBACK.test(new URL(workerUrl).hostname);
    return isLocal && /^https?:$/.test(url.protocol) ? url : "is an address of the machine itself";
  }
  if (url.protocol !== "https:") return "does not use https";
  // URL parsing has already turned 0x7f.1, 2130706433 and the like into dotted numbers.
  if (/^[\d.]+$/.test(url.hostname) || url.hostname.startsWith("[")) return "is an IP address, not a host name";
  const last = url.hostname.replace(/\.$/, "").split(".").at(-1) ?? "";
  if (!url.hostname.replace(/\.$/, "").includes(".") || PRIVATE_ZONES.has(last)) return "is not a public host name";
  return url;
}

/** Top-level names that only private networks use (RFC 6761, RFC 6762, RFC 8375, ICANN 2024). */
const PRIVATE_ZONES: ReadonlySet<string> = new Set(["local", "localhost", "internal", "lan", "home", "corp", "test", "invalid", "arpa"]);
