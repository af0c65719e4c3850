// Decides where a version runs: see docs/adr/0022-where-models-run.md for the figures.
import { DomainError } from '@headrace/contracts';
import type { Role } from '../domain/deployment';
import { Faults, type FaultListener } from './faults';
import { HostProcess, type Death, type HostedFile } from './host-process';
import { OnnxModel } from './onnx-model';
import {
  rowSize,
  type HeldModel,
  type Outputs,
  type OutputSpec,
  type PackedRows,
  type Place,
  type TensorSpec,
} from './tensors';

export interface PlacementOptions {
  /** Compiled model-host. */
  readonly hostScript: string;
  /** Processes that promoted models share. */
  readonly sharedHosts: number;
  /** Longest time that a run in this process may keep the event loop. */
  readonly hereMicros: number;
  /** Longest time of a run in a process: others that share it wait so long. */
  readonly sharedMicros: number;
  readonly maxRunRows: number;
  readonly runTimeoutMs: number;
  readonly loadTimeoutMs: number;
  /** Resident memory of a process that a version has of its own. */
  readonly ownMemoryMiB: number;
  onDeath(place: Place, models: readonly string[], death: Death): void;
}

/** A validated model file and what validation measured. */
export interface MeasuredModel {
  /** Names it among all that are held. */
  readonly key: string;
  readonly role: Role;
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly inputs: readonly TensorSpec[];
  /** One row alone, and one of a run of 64. */
  readonly aloneMicros: number;
  readonly rowMicros: number;
}

/** A model is run here only when so many rows fit into the time that the event loop may be kept. */
const ROWS_WORTH_IT = 8;

export class Placement {
  private readonly shared: HostProcess[] = [];
  private readonly hosted = new Map<HostProcess, Map<string, HostedModel>>();

  constructor(private readonly options: PlacementOptions) {}

  /** A version that is not promoted gets a process of its own; a promoted one runs here when its rows are cheap. */
  placeOf({ role, aloneMicros }: Pick<MeasuredModel, 'role' | 'aloneMicros'>): Place {
    if (role !== 'champion') return 'own';
    return aloneMicros * ROWS_WORTH_IT <= this.options.hereMicros ? 'here' : 'shared';
  }

  /** Loads and warms it there. */
  async hold(model: MeasuredModel): Promise<HeldModel> {
    const place = this.placeOf(model);
    const runRows = this.runRows(model);
    const { rowMicros } = model;
    if (place === 'here') {
      const onnx = await OnnxModel.load(model.bytes, model.inputs);
      await onnx.warm();
      return {
        place,
        runRows,
        rowMicros,
        inputs: onnx.inputs,
        outputs: onnx.outputs,
        rowBytes: onnx.rowBytes,
        rowStrings: onnx.rowStrings,
        run: (rows) => onnx.run(rows),
        // It has no process of its own that could die.
        watch: () => () => undefined,
        release: () => onnx.release(),
      };
    }
    const host = place === 'own' ? this.open(place) : this.leastUsed();
    const { key, path, digest, inputs } = model;
    const file: HostedFile = { model: key, path, digest, inputs };
    try {
      const outputs = await host.load(file);
      const held = new HostedModel(host, file, outputs, { place, runRows, rowMicros }, () => {
        this.hosted.get(host)?.delete(model.key);
        if (place === 'own') this.close(host);
      });
      this.hosted.get(host)?.set(model.key, held);
      return held;
    } catch (error) {
      if (place === 'own') this.close(host);
      throw error;
    }
  }

  /** When the gateway stops. */
  closeAll(): void {
    for (const host of [...this.hosted.keys()]) this.close(host);
    this.shared.length = 0;
  }

  /** Rows of one run at most. */
  runRows(model: Pick<MeasuredModel, 'role' | 'aloneMicros' | 'rowMicros'>): number {
    const { hereMicros, sharedMicros } = this.options;
    const limitMicros = this.placeOf(model) === 'here' ? hereMicros : sharedMicros;
    const { rowMicros } = model;
    return Math.min(this.options.maxRunRows, Math.max(1, Math.floor(limitMicros / Math.max(rowMicros, 0.1))));
  }

  private leastUsed(): HostProcess {
    const { sharedHosts } = this.options;
    const idle = this.shared.find(({ size }) => size === 0);
    if (idle) return idle;
    if (this.shared.length < sharedHosts) {
      const host = this.open('shared');
      this.shared.push(host);
      return host;
    }
    const [least] = [...this.shared].sort((a, b) => a.size - b.size);
    if (!least) throw new DomainError('unavailable', 'stopping', 'the gateway stops');
    return least;
  }

  private open(place: Exclude<Place, 'here'>): HostProcess {
    const { hostScript: script, runTimeoutMs, loadTimeoutMs, ownMemoryMiB } = this.options;
    const models = new Map<string, HostedModel>();
    const host = new HostProcess({
      script,
      runTimeoutMs,
      loadTimeoutMs,
      ...(place === 'own' ? { memoryMiB: ownMemoryMiB } : {}),
      // A candidate's requests go to the champion meanwhile; a promoted model's have nowhere to go.
      whileDown: place === 'own' ? 'refuse' : 'wait',
      onDeath: (death) => {
        this.options.onDeath(place, [...models.keys()], death);
        for (const model of models.values()) model.faults.tell(death);
      },
    });
    this.hosted.set(host, models);
    return host;
  }

  private close(host: HostProcess): void {
    this.hosted.delete(host);
    host.close();
  }
}

class HostedModel implements HeldModel {
  readonly inputs: readonly TensorSpec[];
  readonly rowBytes: number;
  readonly rowStrings: number;
  readonly place: Place;
  readonly runRows: number;
  readonly rowMicros: number;
  readonly faults = new Faults();

  constructor(
    private readonly host: HostProcess,
    private readonly file: HostedFile,
    readonly outputs: readonly OutputSpec[],
    held: Pick<HeldModel, 'place' | 'runRows' | 'rowMicros'>,
    private readonly onRelease: () => void,
  ) {
    this.inputs = file.inputs;
    ({ rowBytes: this.rowBytes, rowStrings: this.rowStrings } = rowSize(file.inputs));
    ({ place: this.place, runRows: this.runRows, rowMicros: this.rowMicros } = held);
  }

  run(rows: PackedRows): Promise<Outputs> {
    return this.host.run(this.file.model, rows);
  }

  watch(listener: FaultListener): () => void {
    return this.faults.watch(listener);
  }

  async release(): Promise<void> {
    this.onRelease();
    if (this.place === 'shared') await this.host.release(this.file.model);
  }
}
