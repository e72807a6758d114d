import * as pulumi from "@pulumi/pulumi";

/** Keys of docs/configuration.md; those that are not given here are taken from the stack's configuration. */
export interface SplatServiceArgs {
  gpu?: string[];
  workersMax?: number;
  jobsPerDay?: number;
  [key: string]: string | number | boolean | string[] | undefined;
}

/** The component of ../../package. The engine starts its Python program, and that declares the resources.
 * `pulumi package add ../../package` generates this class with every key. */
export class SplatService extends pulumi.ComponentResource {
  declare readonly appUrl: pulumi.Output<string>;
  declare readonly bucket: pulumi.Output<string>;
  declare readonly endpointId: pulumi.Output<string>;
  declare readonly operatorToken: pulumi.Output<string>;
  declare readonly recordedMigration: pulumi.Output<string>;

  constructor(name: string, args: SplatServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    const outputs = {
      appUrl: undefined,
      bucket: undefined,
      endpointId: undefined,
      operatorToken: undefined,
      recordedMigration: undefined,
    };
    super("photo-splat:index:SplatService", name, { ...args, ...outputs }, opts, true);
  }
}
