/** @jest-environment ./apps/inference-gateway/test/native-arrays-environment.cjs */
// Other people's clients, unmodified, against a running gateway: what they send is what counts.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { eventually, uniqueName } from '@headrace/testing';
import { z } from 'zod';
import { aDeployedVersion, aDeploymentChanged } from './builders';
import { OPERATOR_TOKEN, RunningGateway } from './running-gateway';

jest.setTimeout(180_000);

const repository = resolve(__dirname, '..', '..', '..');
const environment = process.env['HEADRACE_CLIENTS_ENV'] ?? join(repository, '.headrace', 'clients');
const python = join(environment, ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']));

const gateway = new RunningGateway();
const every = uniqueName('every-type');
const scoring = uniqueName('late');
let outcomes: Record<string, string | null> = {};

beforeAll(async () => {
  if (!existsSync(python)) throw new Error(`${python} is missing: run "node tools/install.mjs --clients"`);
  await gateway.start();
  // Any model by tensor: no features, so nothing to be asked by entity.
  const tensor = (name: string) => ({ name: `in_${name}`, datatype: name, shape: name === 'BYTES' ? [-1] : [-1, 2] });
  const signature = { task: '', inputs: TYPES.map(tensor), outputs: [], features: [] };
  const version = aDeployedVersion(1, { signature, modelArtifact: await gateway.artifact('every-type.onnx') });
  await gateway.deploy(aDeploymentChanged({ endpoint: every, model: every, versions: [version] }));
  const scored = aDeployedVersion(1, { modelArtifact: await gateway.artifact('flight-like-small.onnx') });
  await gateway.deploy(aDeploymentChanged({ endpoint: scoring, versions: [scored] }));
  await eventually(async () => expect(await gateway.isReady(every)).toBe(true), { timeoutMs: 60_000 });
  await eventually(async () => expect(await gateway.isReady(scoring)).toBe(true), { timeoutMs: 60_000 });
  // What other specs deployed on the same Kafka is tried as well, and until then the server as a whole is not ready.
  await eventually(
    async () => expect((await fetch(`http://${gateway.restAddress}/v2/health/ready`)).status).toBe(200),
    {
      timeoutMs: 60_000,
    },
  );
  const outputs = await Promise.all(['try_triton.py', 'try_kserve.py'].map((script) => runScript(script)));
  outcomes = Object.assign({}, ...outputs) as typeof outcomes;
});

afterAll(() => gateway.stop());

async function runScript(script: string): Promise<typeof outcomes> {
  const file = join(__dirname, 'clients', script);
  const args = [file, gateway.grpcAddress, gateway.restAddress, every, scoring, OPERATOR_TOKEN];
  const { stdout } = await promisify(execFile)(python, args, { timeout: 120_000 });
  return z.record(z.string(), z.string().nullable()).parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
}

const TYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
];

describe('unmodified clients', () => {
  it.each([
    ["Triton's gRPC client brings every type back", 'triton_grpc_types'],
    ["Triton's gRPC client chooses outputs and a version", 'triton_grpc_chosen_outputs'],
    ["Triton's gRPC client reads metadata, configuration, statistics and the index", 'triton_grpc_descriptions'],
    ["Triton's gRPC client is told what is wrong", 'triton_grpc_errors'],
    ["Triton's gRPC client loads and unloads as far as deployments let it", 'triton_grpc_repository'],
    ["Triton's gRPC client streams, and one fault leaves the stream alone", 'triton_grpc_stream'],
    ["Triton's HTTP client brings every type back as binary data, also packed", 'triton_http_types'],
    ["Triton's HTTP client mixes JSON and binary data", 'triton_http_json'],
    ["Triton's HTTP client reads metadata, configuration, statistics and the index", 'triton_http_descriptions'],
    ["Triton's HTTP client is told what is wrong", 'triton_http_errors'],
    ["KServe's gRPC client sends raw and typed contents", 'kserve_grpc'],
    ["KServe's REST client sends binary data and JSON", 'kserve_rest'],
  ])('%s', (_, name) => {
    expect(outcomes).toHaveProperty(name);
    expect(outcomes[name]).toBeNull();
  });
});
