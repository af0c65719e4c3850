import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';
import { inspectOnnx } from '@headrace/scoring';
import type { WantedVersion } from '../domain/deployment';
import type { Placement } from './placement';
import { tensorsOf } from './signature';
import type { Residency } from './residency';
import type { HeldModel } from './tensors';
import { validateInChild, type ValidationLimits, type ValidationResult } from './validation';

export interface LoaderOptions {
  /** Compiled validation-child. */
  readonly childScript: string;
  readonly limits: ValidationLimits;
  readonly maxModelBytes: number;
  /** Models that are tried in child processes at once. */
  readonly validations: number;
  /** Models that are never let go of while they are wanted, whoever else needs memory. */
  readonly pinned: ReadonlySet<string>;
}

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly model: HeldModel }
  /** `retriable`: the same may succeed later (the artifact is still on its way). */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly retriable: boolean };

const MAX_REMEMBERED = 10_000;

export class ModelLoader {
  private readonly valid = new Map<string, ValidationResult>();
  private readonly waiting: (() => void)[] = [];
  private trying = 0;

  constructor(
    private readonly store: Pick<ArtifactStore, 'pathOf'>,
    private readonly placement: Pick<Placement, 'hold' | 'placeOf' | 'runRows'>,
    private readonly residency: Pick<Residency, 'hold'>,
    private readonly options: LoaderOptions,
  ) {}

  /**
   * Fetches by digest, looks into the bytes, tries it in a child process, loads and warms it where it belongs. `key` names
   * it among all that are held, `name` is the model's. Promoted ones are in memory when there is room or they are asked.
   */
  async load(version: WantedVersion, key: string, name: string): Promise<LoadOutcome> {
    const { artifact, signature } = version;
    const { maxModelBytes, childScript, limits } = this.options;
    try {
      if (artifact.sizeBytes > maxModelBytes)
        return refused('too_large', sizeMessage(artifact.sizeBytes, maxModelBytes));
      const { path: modelPath, bytes } = await this.fetch(artifact.digest);
      if (bytes.byteLength > maxModelBytes) return refused('too_large', sizeMessage(bytes.byteLength, maxModelBytes));
      const fault = inspectOnnx(bytes);
      if (fault) return refused(fault.code, fault.message);
      const features = signature.features.length;
      const validation = await this.validate(artifact.digest, { script: childScript, modelPath, features, limits });
      if (validation.kind === 'refused') return refused(validation.code, validation.message);
      const reading = tensorsOf(validation.report, signature);
      if (reading.kind === 'mismatch') return refused('signature_mismatch', reading.message);
      const { rowMicros: aloneMicros, batchRowMicros: rowMicros } = validation.report;
      const { inputs, outputs } = reading;
      const measured = { key, role: version.role, digest: artifact.digest, inputs, aloneMicros, rowMicros };
      const place = this.placement.placeOf(measured);
      if (place === 'own') {
        return { kind: 'loaded', model: await this.placement.hold({ ...measured, path: modelPath, bytes }) };
      }
      const resident = {
        inputs,
        outputs,
        place,
        runRows: this.placement.runRows(measured),
        rowMicros,
        bytes: validation.report.modelBytes,
        pinned: this.options.pinned.has(name),
      };
      // Its bytes are not kept meanwhile: it may be long until it is asked.
      const model = await this.residency.hold(resident, async () => {
        const file = await this.fetch(artifact.digest);
        return this.placement.hold({ ...measured, ...file });
      });
      return { kind: 'loaded', model };
    } catch (error) {
      if (error instanceof DomainError) return refused(error.code, error.message, error.retriable);
      const message = error instanceof Error ? error.message : String(error);
      // The system's own refusals (no memory for a process, no file handle) pass.
      const ofSystem = error instanceof Error && 'errno' in error;
      return refused(ofSystem ? 'system_error' : 'load_failed', message, ofSystem);
    }
  }

  /** The store verifies a file once; what is loaded is verified each time. */
  private async fetch(digest: string): Promise<{ readonly path: string; readonly bytes: Buffer }> {
    const path = await this.store.pathOf(digest);
    const bytes = await readFile(path);
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (found === digest) return { path, bytes };
    throw new DomainError('precondition', 'artifact_corrupt', `${digest} now has the digest ${found}`);
  }

  /** The same bytes are tried once; a few at a time, because each takes a core. */
  private async validate(digest: string, trial: Parameters<typeof validateInChild>[0]): Promise<ValidationResult> {
    const key = `${digest} ${trial.features}`;
    const known = this.valid.get(key);
    if (known) return known;
    while (this.trying >= this.options.validations) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.trying += 1;
    try {
      const result = await validateInChild(trial);
      if (result.kind === 'valid') this.valid.set(key, result);
      if (this.valid.size > MAX_REMEMBERED) this.valid.delete(this.valid.keys().next().value ?? '');
      return result;
    } finally {
      this.trying -= 1;
      this.waiting.shift()?.();
    }
  }
}

function sizeMessage(found: number, allowed: number): string {
  return `it has ${found} bytes; at most ${allowed} are accepted`;
}

function refused(code: string, message: string, retriable = false): LoadOutcome {
  return { kind: 'refused', code, message, retriable };
}
