// Loaded versions, shared by the deployments that use them: a change of weights loads nothing again.
import type { WantedVersion } from '../domain/deployment';
import { MicroBatcher, type BatcherOptions } from './micro-batcher';
import type { LoadOutcome } from './model-loader';
import type { RowModel } from './tensors';

export interface LoadedVersion {
  readonly key: string;
  readonly model: RowModel;
  readonly batcher: MicroBatcher;
}

export type AcquireOutcome =
  { readonly kind: 'acquired'; readonly version: LoadedVersion } | Extract<LoadOutcome, { kind: 'refused' }>;

interface Entry {
  readonly loading: Promise<LoadOutcome>;
  loaded: (LoadedVersion & { release(): Promise<void> }) | undefined;
  holders: number;
}

export class VersionPool {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly loader: { load(version: WantedVersion): Promise<LoadOutcome> },
    private readonly options: {
      batcher(model: string, version: number): BatcherOptions;
      onReleaseFault(error: unknown): void;
    },
  ) {}

  /** Loads it, or takes the one that is loaded. Each success is given back once by `release`. */
  async acquire(model: string, wanted: WantedVersion): Promise<AcquireOutcome> {
    const columns = wanted.signature.features.map(({ name }) => name);
    const key = JSON.stringify([model, wanted.number, wanted.artifact.digest, columns]);
    let entry = this.entries.get(key);
    if (!entry) {
      entry = { loading: this.loader.load(wanted), loaded: undefined, holders: 0 };
      this.entries.set(key, entry);
    }
    entry.holders += 1;
    const outcome = await entry.loading;
    if (outcome.kind === 'refused') {
      if (this.entries.get(key) === entry) this.entries.delete(key);
      return outcome;
    }
    entry.loaded ??= {
      key,
      model: outcome.model,
      batcher: new MicroBatcher(outcome.model, this.options.batcher(model, wanted.number)),
      release: () => outcome.model.release(),
    };
    return { kind: 'acquired', version: entry.loaded };
  }

  /** The last holder's release frees the runtime's memory. */
  release({ key }: LoadedVersion): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    entry.holders -= 1;
    if (entry.holders > 0) return;
    this.entries.delete(key);
    entry.loaded?.release().catch((error: unknown) => this.options.onReleaseFault(error));
  }
}
