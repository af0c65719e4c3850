// Who must know when the process of a model dies: every deployment that it serves, and several endpoints may share it.
import type { ModelFault } from './tensors';

export type FaultListener = (fault: ModelFault) => void;

export class Faults {
  private readonly listeners = new Set<FaultListener>();
  private last: ModelFault | undefined;

  /** What it was last found to be down for is told at once. The returned function ends it. */
  watch(listener: FaultListener): () => void {
    this.listeners.add(listener);
    if (this.last) listener(this.last);
    return () => this.listeners.delete(listener);
  }

  tell(fault: ModelFault): void {
    this.last = fault;
    for (const listener of [...this.listeners]) listener(fault);
  }
}
