// Catches unexpected errors of a page, and shows a notice instead of nothing.
// Never hides the cause: it is in the console.
import { Component, type ComponentChildren } from "preact";

import { Notice } from "./notices.tsx";

export class Boundary extends Component<{ children: ComponentChildren }, { broken: boolean }> {
  override state = { broken: false };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ broken: true });
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Notice alert title="Something went wrong." lead="This is our fault, not yours. Nothing on the server is lost, and running jobs continue.">
        <p>
          <button class="button" type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      </Notice>
    );
  }
}
