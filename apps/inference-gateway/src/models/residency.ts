// More models than memory: promoted models are loaded when they are asked, and those that were asked longest ago are let go
// when the memory for models is used up. Requests for one that is not in memory wait in its queue while it is loaded.
import { DomainError } from '@headrace/contracts';
import { Faults, type FaultListener } from './faults';
import type { HeldModel, Outputs, OutputSpec, PackedRows, Place, TensorSpec } from './tensors';
import { rowSize } from './tensors';

export interface ResidencyOptions {
  /** Bytes that models may take together. One that is larger than that is held alone. */
  readonly budgetBytes: number;
  onReleaseFault(error: unknown): void;
}

/** What is known of a model before it is loaded. */
export interface Resident {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly place: Place;
  readonly runRows: number;
  readonly rowMicros: number;
  /** Memory that it takes, measured when it was validated. */
  readonly bytes: number;
  /** Never let go. */
  readonly pinned: boolean;
}

export class Residency {
  /** Those in memory, the one that was asked longest ago first. */
  private readonly inMemory = new Set<ResidentModel>();
  private used = 0;

  constructor(private readonly options: ResidencyOptions) {}

  /** Bytes that the models in memory take. */
  get usedBytes(): number {
    return this.used;
  }

  get size(): number {
    return this.inMemory.size;
  }

  /** In memory at once when there is room for it or it is pinned, else when it is asked. */
  async hold(resident: Resident, load: () => Promise<HeldModel>): Promise<HeldModel> {
    const model = new ResidentModel(resident, load, this);
    if (resident.pinned || this.used + resident.bytes <= this.options.budgetBytes) await model.ensure();
    return model;
  }

  /** It is about to be loaded: room is made. */
  enter(model: ResidentModel): void {
    this.inMemory.add(model);
    this.used += model.bytes;
    for (const other of this.inMemory) {
      if (this.used <= this.options.budgetBytes) return;
      if (other !== model && other.canLeave) this.leave(other);
    }
  }

  touch(model: ResidentModel): void {
    if (!this.inMemory.delete(model)) return;
    this.inMemory.add(model);
  }

  leave(model: ResidentModel): void {
    if (!this.inMemory.delete(model)) return;
    this.used -= model.bytes;
    model.letGo().catch((error: unknown) => this.options.onReleaseFault(error));
  }
}

class ResidentModel implements HeldModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly OutputSpec[];
  readonly rowBytes: number;
  readonly rowStrings: number;
  readonly place: Place;
  readonly runRows: number;
  readonly rowMicros: number;
  readonly bytes: number;
  private readonly pinned: boolean;
  private model: HeldModel | undefined;
  private loading: Promise<HeldModel> | undefined;
  private readonly faults = new Faults();
  private running = 0;

  constructor(
    resident: Resident,
    private readonly load: () => Promise<HeldModel>,
    private readonly residency: Residency,
  ) {
    ({
      inputs: this.inputs,
      outputs: this.outputs,
      place: this.place,
      runRows: this.runRows,
      rowMicros: this.rowMicros,
      bytes: this.bytes,
      pinned: this.pinned,
    } = resident);
    ({ rowBytes: this.rowBytes, rowStrings: this.rowStrings } = rowSize(resident.inputs));
  }

  get canLeave(): boolean {
    return !this.pinned && this.running === 0 && this.loading === undefined;
  }

  async run(rows: PackedRows): Promise<Outputs> {
    this.running += 1;
    try {
      this.residency.touch(this);
      return await (this.model ?? (await this.ensure())).run(rows);
    } finally {
      this.running -= 1;
    }
  }

  ensure(): Promise<HeldModel> {
    if (this.model) return Promise.resolve(this.model);
    this.loading ??= this.bringIn().finally(() => (this.loading = undefined));
    return this.loading;
  }

  watch(listener: FaultListener): () => void {
    return this.faults.watch(listener);
  }

  async letGo(): Promise<void> {
    const { model } = this;
    this.model = undefined;
    await model?.release();
  }

  async release(): Promise<void> {
    await this.loading?.catch(() => undefined);
    this.residency.leave(this);
  }

  private async bringIn(): Promise<HeldModel> {
    this.residency.enter(this);
    try {
      const model = await this.load();
      model.watch((fault) => this.faults.tell(fault));
      this.model = model;
      return model;
    } catch (error) {
      this.residency.leave(this);
      const message = error instanceof Error ? error.message : String(error);
      throw new DomainError('unavailable', 'not_loaded', `it was let go and cannot be loaded again: ${message}`);
    }
  }
}
