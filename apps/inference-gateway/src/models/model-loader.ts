import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';
import type { WantedVersion } from '../domain/deployment';
import { inspectOnnx } from './onnx-inspection';
import type { Placement } from './placement';
import { tensorsOf } from './signature';
import type { HeldModel } from './tensors';
import { validateInChild, type ValidationLimits } from './validation';

export interface LoaderOptions {
  /** Compiled validation-child. */
  readonly childScript: string;
  readonly limits: ValidationLimits;
  readonly maxModelBytes: number;
}

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly model: HeldModel }
  /** `retriable`: the same may succeed later (the artifact is still on its way). */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly retriable: boolean };

export class ModelLoader {
  constructor(
    private readonly store: Pick<ArtifactStore, 'pathOf'>,
    private readonly placement: Pick<Placement, 'hold'>,
    private readonly options: LoaderOptions,
  ) {}

  /**
   * Fetches by digest, looks into the bytes, tries it in a child process, loads and warms it where it belongs. `key` names
   * it among all that are held.
   */
  async load(version: WantedVersion, key: string): Promise<LoadOutcome> {
    const { artifact, signature } = version;
    const { maxModelBytes, childScript, limits } = this.options;
    try {
      if (artifact.sizeBytes > maxModelBytes)
        return refused('too_large', sizeMessage(artifact.sizeBytes, maxModelBytes));
      const modelPath = await this.store.pathOf(artifact.digest);
      const bytes = await readFile(modelPath);
      if (bytes.byteLength > maxModelBytes) return refused('too_large', sizeMessage(bytes.byteLength, maxModelBytes));
      // The store verifies a file once; what is loaded is verified each time.
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (digest !== artifact.digest)
        return refused('artifact_corrupt', `${artifact.digest} now has the digest ${digest}`);
      const fault = inspectOnnx(bytes);
      if (fault) return refused(fault.code, fault.message);
      const features = signature.features.length;
      const validation = await validateInChild({ script: childScript, modelPath, features, limits });
      if (validation.kind === 'refused') return refused(validation.code, validation.message);
      const reading = tensorsOf(validation.report, signature);
      if (reading.kind === 'mismatch') return refused('signature_mismatch', reading.message);
      const { rowMicros: aloneMicros, batchRowMicros: rowMicros } = validation.report;
      const measured = { key, role: version.role, path: modelPath, bytes, digest, inputs: reading.inputs };
      return { kind: 'loaded', model: await this.placement.hold({ ...measured, aloneMicros, rowMicros }) };
    } catch (error) {
      if (error instanceof DomainError) return refused(error.code, error.message, error.retriable);
      const message = error instanceof Error ? error.message : String(error);
      // The system's own refusals (no memory for a process, no file handle) pass.
      const ofSystem = error instanceof Error && 'errno' in error;
      return refused(ofSystem ? 'system_error' : 'load_failed', message, ofSystem);
    }
  }
}

function sizeMessage(found: number, allowed: number): string {
  return `it has ${found} bytes; at most ${allowed} are accepted`;
}

function refused(code: string, message: string, retriable = false): LoadOutcome {
  return { kind: 'refused', code, message, retriable };
}
