// Catches what no page expected, so that a fault shows words instead of nothing.
// Never hides it: the cause is in the console.
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
      <Notice alert title="This page broke." lead="That is our fault, not yours. Nothing on the server is lost, and a running job goes on.">
        <p>
          <button class="button" type="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      </Notice>
    );
  }
}
