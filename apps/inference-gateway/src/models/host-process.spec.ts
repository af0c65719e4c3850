/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
import { join } from 'node:path';
import { digestOfFile } from '@headrace/artifacts';
import { eventually } from '@headrace/testing';
import { packed } from '../../test/builders';
import { compilePrograms, fixtures, type CompiledPrograms } from '../../test/compiled-programs';
import { HostProcess, type Death, type HostedFile, type HostOptions } from './host-process';
import type { PackedRows } from './tensors';

jest.setTimeout(60_000);

const WIDTH = 11;
const inputs = [{ name: 'features', datatype: 'FP32', shape: [-1, WIDTH] }] as const;
let programs: CompiledPrograms;
const hosts: HostProcess[] = [];

beforeAll(async () => {
  programs = await compilePrograms();
});
afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});
afterAll(() => programs.remove());

function aHost(options: Partial<HostOptions> = {}): { host: HostProcess; deaths: Death[] } {
  const deaths: Death[] = [];
  const host = new HostProcess({
    script: join(programs.folder, 'model-host.js'),
    runTimeoutMs: 1_500,
    loadTimeoutMs: 30_000,
    whileDown: 'refuse',
    onDeath: (death) => deaths.push(death),
    ...options,
  });
  hosts.push(host);
  return { host, deaths };
}

async function aFile(file: string, model = file): Promise<HostedFile> {
  const path = join(fixtures, file);
  return { model, path, digest: await digestOfFile(path), inputs };
}

/** A negative value makes `hangs-on-negative` hang; else the first one is its score. */
function aRow(first: number): PackedRows {
  return packed(
    Float32Array.from({ length: WIDTH }, (_, index) => (index === 0 ? first : 1)),
    1,
  );
}

async function scoreOf(host: HostProcess, model: string, first: number): Promise<number | undefined> {
  const outputs = await host.run(model, aRow(first));
  return Number(outputs['probabilities']?.data[1]);
}

describe('a process that runs models', () => {
  it('answers with what the model computes', async () => {
    const { host } = aHost();
    const outputs = await host.load(await aFile('hostile/hangs-on-negative.onnx', 'm'));
    expect(outputs).toEqual([{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }]);
    expect(await scoreOf(host, 'm', 7)).toBe(7);
    expect(await Promise.all([1, 2, 3].map((first) => scoreOf(host, 'm', first)))).toEqual([1, 2, 3]);
  });

  it('is killed when a run hangs: only that run fails, later ones are answered again', async () => {
    const { host, deaths } = aHost();
    await host.load(await aFile('hostile/hangs-on-negative.onnx', 'm'));
    const hung = host.pid;
    await expect(scoreOf(host, 'm', -1)).rejects.toMatchObject({ kind: 'unavailable', code: 'model_process_down' });
    expect(deaths).toEqual([{ code: 'hung', message: 'run took more than 1500 ms' }]);
    await eventually(async () => expect(await scoreOf(host, 'm', 5)).toBe(5), { timeoutMs: 30_000 });
    expect(host.pid).not.toBe(hung);
    expect(() => process.kill(hung ?? 0, 0)).toThrow();
  });

  it('fails what it was running when it crashes, and refuses at once while it is down', async () => {
    const { host, deaths } = aHost({ runTimeoutMs: 60_000 });
    await host.load(await aFile('hostile/hangs-on-negative.onnx', 'm'));
    const running = scoreOf(host, 'm', -1);
    process.kill(host.pid ?? 0, 'SIGSEGV');
    await expect(running).rejects.toMatchObject({ code: 'model_process_down' });
    expect(deaths[0]).toMatchObject({ code: 'crashed', message: expect.stringContaining('SIGSEGV') });
    await expect(scoreOf(host, 'm', 1)).rejects.toMatchObject({ code: 'model_process_down' });
  });

  it('keeps the runs of other models that share it: they wait until it is back', async () => {
    const { host, deaths } = aHost({ whileDown: 'wait' });
    await host.load(await aFile('hostile/hangs-on-negative.onnx', 'bad'));
    await host.load(await aFile('hostile/hangs-on-negative.onnx', 'good'));
    const bad = scoreOf(host, 'bad', -1);
    const good = scoreOf(host, 'good', 3);
    await expect(bad).rejects.toMatchObject({ code: 'model_process_down' });
    expect(await good).toBe(3);
    expect(deaths).toHaveLength(1);
  });

  it('takes no more memory than it may', async () => {
    const { host, deaths } = aHost({ memoryMiB: 64 });
    // It may have loaded it before its memory is looked at.
    await Promise.allSettled([host.load(await aFile('flight-like.onnx', 'm'))]);
    await eventually(() => expect(deaths[0]).toMatchObject({ code: 'too_much_memory' }), { timeoutMs: 30_000 });
  });

  it('loads only the bytes that were validated', async () => {
    const { host } = aHost();
    const file = await aFile('flight-like-small.onnx', 'm');
    await expect(host.load({ ...file, digest: `sha256:${'0'.repeat(64)}` })).rejects.toThrow('now has the digest');
  });
});
