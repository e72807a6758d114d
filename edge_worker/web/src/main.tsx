// Starts the page: styles, the app, the service worker.
// Never holds logic of its own.
import "@fontsource-variable/archivo/standard.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/parts.css";
import { render } from "preact";

import { App } from "./app.tsx";

const root = document.getElementById("app");
if (!root) throw new Error("index.html has no #app");
render(<App />, root);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  // A page without its offline shell still works: it is told in the console, not to people.
  navigator.serviceWorker.register("/sw.js").catch((error: unknown) => console.warn("no offline shell:", error));
}
