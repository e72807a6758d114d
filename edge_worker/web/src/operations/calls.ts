// The calls of the operations page. Apart from api.ts, since only operators load them.
import { AlertTestAnswer, AlertsAnswer, ChecksAnswer, OperationsAnswer } from "../../../shared/contracts/operations.ts";
import { call } from "../api/api.ts";

export const operationsCalls = {
  state: () => call("GET", "/api/operations", OperationsAnswer),
  checks: () => call("GET", "/api/operations/checks", ChecksAnswer),
  alerts: () => call("GET", "/api/alerts", AlertsAnswer),
  testAlert: () => call("POST", "/api/alerts/test", AlertTestAnswer),
};
