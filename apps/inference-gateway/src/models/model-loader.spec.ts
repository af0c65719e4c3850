/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { inspectOnnx } from '@headrace/scoring';
import { flightColumns, packed } from '../../test/builders';
import { compilePrograms, fixtures, type CompiledPrograms } from '../../test/compiled-programs';
import type { WantedVersion } from '../domain/deployment';
import { scoreOf } from '../serving/score';
import { ModelLoader, type LoadOutcome, type LoaderOptions } from './model-loader';
import { Placement } from './placement';
import { Residency } from './residency';

jest.setTimeout(60_000);

let programs: CompiledPrograms;
let placement: Placement;
let folder: string;
let store: ArtifactStore;

beforeAll(async () => {
  programs = await compilePrograms();
  folder = await mkdtemp(join(tmpdir(), 'gateway-models-'));
  store = new ArtifactStore(join(folder, 'artifacts'));
  placement = new Placement({
    hostScript: join(programs.folder, 'model-host.js'),
    sharedHosts: 1,
    hereMicros: 100_000,
    sharedMicros: 50_000,
    maxRunRows: 256,
    runTimeoutMs: 5_000,
    loadTimeoutMs: 30_000,
    ownMemoryMiB: 400,
    onDeath: () => undefined,
  });
});

afterAll(async () => {
  placement.closeAll();
  await programs.remove();
  await rm(folder, { recursive: true, force: true });
});

function aLoader(limits: Partial<LoaderOptions['limits']> = {}, maxModelBytes = 1_000_000): ModelLoader {
  return new ModelLoader(store, placement, new Residency({ budgetBytes: 1e9, onReleaseFault: () => undefined }), {
    childScript: join(programs.folder, 'validation-child.js'),
    maxModelBytes,
    validations: 1,
    pinned: new Set(['pinned']),
    limits: { timeoutMs: 30_000, memoryMiB: 400, rowMicros: 50_000, ...limits },
  });
}

async function aVersion(file: string, overrides: Partial<WantedVersion['signature']> = {}): Promise<WantedVersion> {
  const signature = { task: 'binary', inputs: [], outputs: [], features: [...flightColumns], ...overrides };
  const artifact = await store.putFile(join(fixtures, file), file);
  return { number: 1, role: 'champion', weight: 100, artifact, profile: undefined, signature };
}

let keys = 0;
function load(version: WantedVersion, loader = aLoader(), name = 'late-arrival'): Promise<LoadOutcome> {
  return loader.load(version, `spec-${(keys += 1)}`, name);
}

function codeOf(outcome: LoadOutcome): string {
  return outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

describe('loading a model', () => {
  it('loads what the trainer made and answers with its numbers', async () => {
    const outcome = await load(await aVersion('flight-like.onnx'));
    if (outcome.kind !== 'loaded') throw new Error(outcome.message);
    const { model } = outcome;
    expect(model.outputs).toEqual([
      { name: 'label', datatype: 'INT64', shape: [-1] },
      { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
    ]);
    const width = flightColumns.length;
    const rows = Float32Array.from({ length: 2 * width }, (_, index) => (index === 5 ? NaN : index));
    const together = await model.run(packed(rows, 2));
    const alone = await model.run(packed(rows.slice(width), 1));
    expect(scoreOf(alone, 'binary')).toBe(together['probabilities']?.data[3]);
    await model.release();
  });

  it('runs a candidate in a process of its own, and what is cheap here once it is promoted', async () => {
    const version = await aVersion('flight-like-small.onnx');
    const row = packed(
      Float32Array.from({ length: flightColumns.length }, (_, index) => index),
      1,
    );
    const outcomes = await Promise.all([load({ ...version, role: 'canary' }), load(version)]);
    const [candidate, promoted] = outcomes.map((outcome) => {
      if (outcome.kind !== 'loaded') throw new Error(outcome.message);
      return outcome.model;
    });
    expect([candidate?.place, promoted?.place]).toEqual(['own', 'here']);
    const [theirs, ours] = [await candidate?.run(row), await promoted?.run(row)];
    expect(theirs).toEqual(ours);
    expect(candidate?.outputs).toEqual(promoted?.outputs);
    await Promise.all([candidate?.release(), promoted?.release()]);
  });

  it('answers by a model that is not in memory, and keeps a pinned one there', async () => {
    const version = await aVersion('flight-like-small.onnx');
    const row = packed(
      Float32Array.from({ length: flightColumns.length }, (_, index) => index),
      1,
    );
    const residency = new Residency({ budgetBytes: 1, onReleaseFault: () => undefined });
    const loader = new ModelLoader(store, placement, residency, {
      childScript: join(programs.folder, 'validation-child.js'),
      maxModelBytes: 1_000_000,
      validations: 1,
      pinned: new Set(['pinned']),
      limits: { timeoutMs: 30_000, memoryMiB: 400, rowMicros: 50_000 },
    });
    const outcomes = [await load(version, loader), await load(version, loader, 'pinned')];
    const models = outcomes.flatMap((outcome) => (outcome.kind === 'loaded' ? [outcome.model] : []));
    expect(residency.size).toBe(1);
    const [first, second] = [await models[0]?.run(row), await models[1]?.run(row)];
    expect(first).toEqual(second);
    expect(models[0]?.outputs).toEqual(models[1]?.outputs);
    for (const model of models) await model.release();
    expect(residency.usedBytes).toBe(0);
  });

  it('loads a regression', async () => {
    const outcome = await load(await aVersion('delay-regression.onnx', { task: 'regression' }));
    if (outcome.kind !== 'loaded') throw new Error(outcome.message);
    const outputs = await outcome.model.run(packed(new Float32Array(flightColumns.length), 1));
    expect(Number.isFinite(scoreOf(outputs, 'regression'))).toBe(true);
    await outcome.model.release();
  });

  it.each([
    ['reads another file', 'hostile/external-data.onnx', 'external_data'],
    ['needs operators of unknown origin', 'hostile/foreign-operator.onnx', 'unknown_operators'],
    ['is nested too deeply', 'hostile/deeply-nested.onnx', 'nested_too_deeply'],
    ['swells', 'hostile/swelling.onnx', 'too_much_memory'],
    ['takes another input', 'hostile/other-input.onnx', 'signature_mismatch'],
    ['gives another output', 'hostile/other-output.onnx', 'signature_mismatch'],
    ['gives one row for many', 'hostile/mixes-rows.onnx', 'signature_mismatch'],
    ['is no model at all', 'make_fixtures.py', 'not_onnx'],
  ])('refuses a file that %s', async (_, file, code) => {
    const outcome = await load(await aVersion(file));
    expect(codeOf(outcome)).toBe(code);
    expect(outcome).toMatchObject({ retriable: false });
  });

  it('refuses a model that never ends, by killing the process that tries it', async () => {
    const outcome = await load(await aVersion('hostile/endless.onnx'), aLoader({ timeoutMs: 2_000 }));
    expect(codeOf(outcome)).toBe('validation_timeout');
  });

  it('refuses a model whose row takes longer than the event loop may be blocked, and says so', async () => {
    const outcome = await load(await aVersion('hostile/slow.onnx'));
    expect(codeOf(outcome)).toBe('too_slow');
    expect(outcome).toMatchObject({ message: expect.stringMatching(/^one row takes [\d.]+ ms; at most 50 ms/) });
  });

  it('refuses a model of another width than its signature', async () => {
    const outcome = await load(await aVersion('flight-like.onnx', { features: flightColumns.slice(1) }));
    expect(outcome).toMatchObject({ kind: 'refused' });
  });

  it('refuses a model of another task than its signature', async () => {
    const outcome = await load(await aVersion('flight-like.onnx', { task: 'regression' }));
    expect(codeOf(outcome)).toBe('signature_mismatch');
  });

  it('refuses a model that is too large', async () => {
    expect(codeOf(await load(await aVersion('flight-like.onnx'), aLoader({}, 1_000)))).toBe('too_large');
  });

  it('says that an absent artifact may still come', async () => {
    const version = await aVersion('flight-like.onnx');
    const digest = `sha256:${createHash('sha256').update('never stored').digest('hex')}`;
    const outcome = await load({ ...version, artifact: { ...version.artifact, digest } });
    expect(outcome).toMatchObject({ kind: 'refused', code: 'artifact_missing', retriable: true });
  });

  it('refuses bytes that changed after they were stored', async () => {
    const version = await aVersion('flight-like-small.onnx');
    const path = await store.pathOf(version.artifact.digest);
    await rm(path);
    await copyFile(join(fixtures, 'flight-like.onnx'), path);
    expect(codeOf(await load(version))).toBe('artifact_corrupt');
    await rm(path);
    await writeFile(path, readFileSync(join(fixtures, 'flight-like-small.onnx')));
  });
});

describe('looking into the bytes of a model', () => {
  const bytes = readFileSync(join(fixtures, 'flight-like-small.onnx'));

  it('finds nothing against what the trainer makes', () => {
    expect(inspectOnnx(bytes)).toBeUndefined();
  });

  it('never throws, whatever the bytes are', () => {
    for (let length = 0; length < bytes.length; length += 97) {
      expect(inspectOnnx(bytes.subarray(0, length)) ?? { code: 'none' }).toHaveProperty('code');
      const flipped = Uint8Array.from(bytes);
      flipped[length] = 255 - (flipped[length] ?? 0);
      expect(() => inspectOnnx(flipped)).not.toThrow();
    }
  });
});
