import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ArtifactStore } from '@headrace/artifacts';
import { DomainError } from '@headrace/contracts';
import type { WantedVersion } from '../domain/deployment';
import { inspectOnnx } from './onnx-inspection';
import { INPUT_NAME, OnnxModel } from './onnx-model';
import { isOutputType, OUTPUT_TYPES } from './tensors';
import { validateInChild, type ValidationLimits, type ValidationReport } from './validation';

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

/** What a version's signature promises to callers. */
const OUTPUT_OF = {
  binary: { name: 'probabilities', width: 2 },
  regression: { name: 'prediction', width: 1 },
} as const;

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
      const validation = await validateInChild({
        script: childScript,
        modelPath,
        inputName: INPUT_NAME,
        features,
        limits,
      });
      if (validation.kind === 'refused') return refused(validation.code, validation.message);
      const mismatch = signatureFault(validation.report, features, signature.task);
      if (mismatch !== undefined) return refused('signature_mismatch', mismatch);
      return { kind: 'loaded', model: await warm(await OnnxModel.load(bytes, features)) };
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
  for (const rows of [1, 64, 1]) await model.run(new Float32Array(rows * model.width), rows);
  return model;
}

function signatureFault(report: ValidationReport, features: number, task: string): string | undefined {
  const [input, ...others] = report.inputs;
  if (!input || others.length > 0 || input.name !== INPUT_NAME || input.type !== 'float32') {
    const found = report.inputs.map(({ name, type }) => `"${name}" ${type}`).join(', ');
    return `expected one input "${INPUT_NAME}" float32 [N, ${features}], found ${found || 'none'}`;
  }
  const [, columns = -1] = input.shape;
  if (input.shape.length !== 2 || (columns !== -1 && columns !== features)) {
    return `input "${INPUT_NAME}" has the shape [${input.shape.join(', ')}], the signature has ${features} features`;
  }
  for (const { name, type } of report.outputs) {
    if (!isOutputType(type)) return `output "${name}" is ${type}: expected ${Object.keys(OUTPUT_TYPES).join(', ')}`;
    const dims = report.dims[name] ?? [];
    if (dims[0] !== report.rows) return `output "${name}" has the shape [${dims.join(', ')}] for ${report.rows} rows`;
  }
  const wanted = task === 'binary' ? OUTPUT_OF.binary : OUTPUT_OF.regression;
  const output = report.outputs.find(({ name }) => name === wanted.name);
  const dims = report.dims[wanted.name] ?? [];
  const width = dims.slice(1).reduce((product, dimension) => product * dimension, 1);
  if (!output || (output.type !== 'float32' && output.type !== 'float64') || width !== wanted.width) {
    const found = output ? `${output.type} [${dims.join(', ')}]` : 'none';
    return `a ${task} model answers by "${wanted.name}" float32 [N, ${wanted.width}], found ${found}`;
  }
  return undefined;
}

function sizeMessage(found: number, allowed: number): string {
  return `it has ${found} bytes; at most ${allowed} are accepted`;
}

function refused(code: string, message: string, retriable = false): LoadOutcome {
  return { kind: 'refused', code, message, retriable };
}
