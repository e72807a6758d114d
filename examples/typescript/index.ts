import { SplatService } from "./splat_service";

const museum = new SplatService("museum", { gpu: ["RTX 4090"], workersMax: 2 });

export const appUrl = museum.appUrl;
export const operatorToken = museum.operatorToken;
// So that the next run finds how far this one came.
export const museumRecordedMigration = museum.recordedMigration;
