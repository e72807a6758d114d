declare namespace Cloudflare {
  // The bindings that tests see through `cloudflare:test` are the Worker's own.
  interface Env extends Readonly<Record<never, never>> {
    readonly PROJECT: DurableObjectNamespace<import("../../src/project/project-object.ts").Project>;
    readonly INDEX: DurableObjectNamespace<import("../../src/account/index-object.ts").Index>;
    readonly BUCKET: R2Bucket;
  }
}

declare module "*?raw" {
  const text: string;
  export default text;
}
