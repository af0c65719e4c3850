// Loaded versions, shared by the deployments that use them: a change of weights loads nothing again.
import type { WantedVersion } from '../domain/deployment';
import { MicroBatcher, type BatcherOptions } from './micro-batcher';
import type { LoadOutcome } from './model-loader';
import type { HeldModel } from './tensors';

export interface LoadedVersion {
  readonly key: string;
  readonly model: HeldModel;
  readonly batcher: MicroBatcher;
  /** Runs of the model since it was loaded. */
  readonly ran: { readonly runs: number; readonly runSeconds: number };
}

export type AcquireOutcome =
  { readonly kind: 'acquired'; readonly version: LoadedVersion } | Extract<LoadOutcome, { kind: 'refused' }>;

interface Entry {
  readonly loading: Promise<LoadOutcome>;
  loaded: LoadedVersion | undefined;
  holders: number;
}

export class VersionPool {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly loader: { load(version: WantedVersion, key: string, model: string): Promise<LoadOutcome> },
    private readonly options: {
      batcher(model: string, version: number, held: HeldModel): BatcherOptions;
      onReleaseFault(error: unknown): void;
    },
  ) {}

  /** Loads it, or takes the one that is loaded. Each success is given back once by `release`. */
  async acquire(model: string, wanted: WantedVersion): Promise<AcquireOutcome> {
    const columns = wanted.signature.features.map(({ name }) => name);
    // A version that is promoted is loaded once more, where promoted versions run, before the switch.
    const promoted = wanted.role === 'champion';
    const key = JSON.stringify([model, wanted.number, wanted.artifact.digest, columns, promoted]);
    let entry = this.entries.get(key);
    if (!entry) {
      entry = { loading: this.loader.load(wanted, key, model), loaded: undefined, holders: 0 };
      this.entries.set(key, entry);
    }
    entry.holders += 1;
    const outcome = await entry.loading;
    if (outcome.kind === 'refused') {
      if (this.entries.get(key) === entry) this.entries.delete(key);
      return outcome;
    }
    entry.loaded ??= this.loaded(key, outcome.model, this.options.batcher(model, wanted.number, outcome.model));
    return { kind: 'acquired', version: entry.loaded };
  }

  private loaded(key: string, model: HeldModel, options: BatcherOptions): LoadedVersion {
    const ran = { runs: 0, runSeconds: 0 };
    const onBatch = (rows: number, seconds: number): void => {
      ran.runs += 1;
      ran.runSeconds += seconds;
      options.onBatch?.(rows, seconds);
    };
    const batcher = new MicroBatcher(model, { ...options, onBatch });
    return { key, model, batcher, ran };
  }

  /** The last holder's release frees the runtime's memory. */
  release({ key }: LoadedVersion): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    entry.holders -= 1;
    if (entry.holders > 0) return;
    this.entries.delete(key);
    entry.loaded?.model.release().catch((error: unknown) => this.options.onReleaseFault(error));
  }
}
