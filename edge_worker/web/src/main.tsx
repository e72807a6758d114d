// Starts the app: styles, first render, service worker.
import "@fontsource-variable/archivo/standard.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/parts.css";
import { render } from "preact";

import { App } from "./app.tsx";
import { keepDraft } from "./intake/draft.ts";
import { intake } from "./intake/intake.ts";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no #app");
render(<App />, root);
void keepDraft(intake);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  // The app works without its offline shell, so a failure only goes to the console.
  navigator.serviceWorker.register("/sw.js").catch((error: unknown) => console.warn("Service worker registration failed:", error));
}
