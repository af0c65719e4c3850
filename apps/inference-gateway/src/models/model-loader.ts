import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';
import type { WantedVersion } from '../domain/deployment';
import { inspectOnnx } from './onnx-inspection';
import { OnnxModel } from './onnx-model';
import { tensorsOf } from './signature';
import { validateInChild, type ValidationLimits } from './validation';

export interface LoaderOptions {
  /** Compiled validation-child. */
  readonly childScript: string;
  readonly limits: ValidationLimits;
  readonly maxModelBytes: number;
}

export type LoadOutcome =
  | { readonly kind: 'loaded'; readonly model: OnnxModel }
  /** `retriable`: the same may succeed later (the artifact is still on its way). */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly retriable: boolean };

export class ModelLoader {
  constructor(
    private readonly store: Pick<ArtifactStore, 'pathOf'>,
    private readonly options: LoaderOptions,
  ) {}

  /** Fetches by digest, looks into the bytes, tries it in a child process, loads and warms it. */
  async load(version: WantedVersion): Promise<LoadOutcome> {
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
      return { kind: 'loaded', model: await warm(await OnnxModel.load(bytes, reading.inputs)) };
    } catch (error) {
      if (error instanceof DomainError) return refused(error.code, error.message, error.retriable);
      const message = error instanceof Error ? error.message : String(error);
      // The system's own refusals (no memory for a process, no file handle) pass.
      const ofSystem = error instanceof Error && 'errno' in error;
      return refused(ofSystem ? 'system_error' : 'load_failed', message, ofSystem);
    }
  }
}

/** First runs allocate and pick kernels, for one row and for many: no caller waits for that. */
async function warm(model: OnnxModel): Promise<OnnxModel> {
  for (const rows of [1, 64, 1]) {
    const bytes = new Uint8Array(rows * model.rowBytes);
    await model.run({ rows, bytes, strings: new Array<string>(rows * model.rowStrings).fill('') });
  }
  return model;
}

function sizeMessage(found: number, allowed: number): string {
  return `it has ${found} bytes; at most ${allowed} are accepted`;
}

function refused(code: string, message: string, retriable = false): LoadOutcome {
  return { kind: 'refused', code, message, retriable };
}
