import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TokenTable } from '@headrace/grpc';
import { anActiveDeployment, FirstFeatureModel } from '../../test/builders';
import { RequestStatistics } from '../open-inference-observer';
import { ServingTable } from '../serving/serving-table';
import { DescribeModels } from '../use-cases/describe-models';
import { InferTensors, type TensorObserver } from '../use-cases/infer-tensors';
import { RestServer, type RestOptions } from './rest-server';

const MIB = 1_048_576;
const quiet: TensorObserver = {
  answered: () => undefined,
  refused: () => undefined,
  canaryFailed: () => undefined,
  versionFailed: () => undefined,
  guarded: () => undefined,
  versionAsked: () => undefined,
};

const servers: RestServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close(1_000))));

/** Serves `late-arrival`, whose "probability" of a row is its first of three features. */
async function serve(options: Partial<RestOptions> = {}): Promise<string> {
  const table = new ServingTable();
  const active = anActiveDeployment(new FirstFeatureModel(3));
  table.want(active.deployment);
  table.activate(active);
  table.markCaughtUp();
  const server = new RestServer({
    inferTensors: new InferTensors(table, 1_000),
    describe: new DescribeModels(table, new RequestStatistics(), { maxRows: 1_000, tryNow: () => Promise.resolve() }),
    observer: quiet,
    access: 'public',
    tokens: new TokenTable(),
    maxBodyBytes: MIB,
    maxBodiesBytes: 8 * MIB,
    log: { error: () => undefined },
    ...options,
  });
  servers.push(server);
  return `http://127.0.0.1:${await server.listen('127.0.0.1', 0)}`;
}

const ROWS = { name: 'features', datatype: 'FP32', shape: [2, 3] };
const INFER = '/v2/models/late-arrival/infer';

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return fetch(url, { method: 'POST', body: bytes, headers });
}

describe('REST of the Open Inference Protocol', () => {
  it('answers JSON with JSON, flat or nested, missing values as null or as Python writes them', async () => {
    const url = await serve();
    const input = {
      ...ROWS,
      data: [
        [0.25, null, 1],
        [0.5, 2, 3],
      ],
    };
    const response = await post(url + INFER, { id: 'one', inputs: [input] });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    const answer: unknown = await response.json();
    expect(answer).toEqual({
      id: 'one',
      model_name: 'late-arrival',
      model_version: '1',
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [2], data: [0, 1] },
        { name: 'probabilities', datatype: 'FP32', shape: [2, 2], data: [0.75, 0.25, 0.5, 0.5] },
      ],
    });
    const python = JSON.stringify({ id: 'one', inputs: [{ ...ROWS, data: [0.25, 'x', 1, 0.5, 2, 3] }] }).replace(
      '"x"',
      'NaN',
    );
    expect(await (await post(url + INFER, python)).json()).toEqual(answer);
  });

  it('gives an id back as it came, whatever its letters', async () => {
    const url = await serve();
    const body = { id: 'Größe 📏 €', inputs: [{ ...ROWS, data: [0, 0, 0, 1, 0, 0] }] };
    const response = await post(url + INFER, body);
    expect(await response.json()).toMatchObject({ id: 'Größe 📏 €', model_name: 'late-arrival' });
  });

  it('takes and gives binary tensors behind the JSON', async () => {
    const url = await serve();
    const tensor = Buffer.from(Float32Array.of(0.25, 0, 0, 0.75, 0, 0).buffer);
    const head = JSON.stringify({
      inputs: [{ ...ROWS, parameters: { binary_data_size: 24 } }],
      outputs: [{ name: 'probabilities', parameters: { binary_data: true } }, { name: 'label' }],
    });
    const headers = { 'Inference-Header-Content-Length': String(head.length) };
    const response = await post(url + INFER, Buffer.concat([Buffer.from(head), tensor]), headers);
    const length = Number(response.headers.get('inference-header-content-length'));
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(JSON.parse(bytes.subarray(0, length).toString())).toMatchObject({
      outputs: [
        { name: 'probabilities', shape: [2, 2], parameters: { binary_data_size: 16 } },
        { name: 'label', data: [0, 1] },
      ],
    });
    expect(bytes.byteLength - length).toBe(16);
    expect([4, 12].map((at) => bytes.readFloatLE(length + at))).toEqual([0.25, 0.75]);
    const cut = await post(url + INFER, Buffer.concat([Buffer.from(head), tensor.subarray(1)]), headers);
    expect([cut.status, await cut.json()]).toEqual([
      400,
      { error: 'input "features": binary_data_size is 24, but 23 bytes of the body are left' },
    ]);
  });

  it('unpacks compressed bodies', async () => {
    const url = await serve();
    const body = gzipSync(JSON.stringify({ inputs: [{ ...ROWS, data: [0, 0, 0, 1, 0, 0] }] }));
    expect((await post(url + INFER, body, { 'Content-Encoding': 'gzip' })).status).toBe(200);
  });

  it.each<[string, string, unknown, number, string]>([
    ['a model nobody deployed', '/v2/models/other/infer', { inputs: [] }, 404, 'there is no endpoint "other"'],
    [
      'a version that is not loaded',
      '/v2/models/late-arrival/versions/9/infer',
      { inputs: [] },
      404,
      'no loaded version "9"',
    ],
    ['what is no JSON', INFER, '{"inputs": [', 400, 'the body is not JSON'],
    ['a list instead of an object', INFER, [], 400, 'the body: expected an object'],
    [
      'an input without its shape',
      INFER,
      { inputs: [{ name: 'features', datatype: 'FP32', data: [] }] },
      400,
      '"shape"',
    ],
    [
      'another type',
      INFER,
      { inputs: [{ ...ROWS, datatype: 'FP64', data: [] }] },
      400,
      'expected datatype FP32, got "FP64"',
    ],
    ['too few values', INFER, { inputs: [{ ...ROWS, data: [1] }] }, 400, 'expected 6 values for FP32 [2, 3], got 1'],
    ['a path of nothing', '/v1/models', {}, 404, 'there is nothing at /v1/models'],
    ['another method', '/v2/models/late-arrival', {}, 405, 'POST is not allowed here: expected GET'],
    ['a broken name', '/v2/models/%ff/infer', {}, 400, 'not a percent-encoded name'],
    ['an unload', '/v2/repository/models/late-arrival/unload', {}, 401, 'bearer token'],
  ])('refuses %s', async (_, path, body, status, message) => {
    const response = await post((await serve()) + path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.stringContaining(message) });
  });

  it('refuses bodies beyond its bounds before it has read them, also what unpacks to more', async () => {
    const url = await serve();
    const large = await post(url + INFER, new Uint8Array(2 * MIB)).catch(() => undefined);
    // The connection is closed under a sender that goes on sending: it may not come to read the answer.
    if (large) expect(large.status).toBe(413);
    const bomb = await post(url + INFER, gzipSync(new Uint8Array(64 * MIB)), { 'Content-Encoding': 'gzip' });
    expect([bomb.status, await bomb.json()]).toEqual([413, { error: `the body has more than ${MIB} bytes` }]);
    const narrow = await serve({ maxBodiesBytes: 10 });
    expect((await post(narrow + INFER, { inputs: [] })).status).toBe(503);
  });

  it('gives back the room of every body, whatever came of it', async () => {
    const url = await serve({ maxBodiesBytes: 300 });
    const good = { inputs: [{ ...ROWS, data: [0, 0, 0, 1, 0, 0] }] };
    for (const body of [good, '{', { inputs: [{ ...ROWS, data: [1] }] }, good, good]) await post(url + INFER, body);
    expect((await post(url + INFER, good)).status).toBe(200);
    // A caller that goes away in the middle of its body.
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`POST ${INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 290\r\n\r\n${' '.repeat(250)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    let status = 0;
    for (let turn = 0; turn < 100 && status !== 200; turn += 1) ({ status } = await post(url + INFER, good));
    expect(status).toBe(200);
  });

  it('describes the server and its models', async () => {
    const url = await serve();
    const get = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
    expect(await get('/v2')).toMatchObject({
      name: 'headrace',
      extensions: expect.arrayContaining(['binary_tensor_data']),
    });
    expect(await get('/v2/health/live')).toEqual({ live: true });
    expect(await get('/v2/health/ready')).toEqual({ ready: true });
    expect(await get('/v2/models')).toEqual({ models: ['late-arrival'] });
    expect(await get('/v2/models/late-arrival')).toEqual({
      name: 'late-arrival',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 3] }],
      outputs: [
        { name: 'label', datatype: 'INT64', shape: [-1] },
        { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
      ],
    });
    expect(await get('/v2/models/late-arrival/versions/1/config')).toMatchObject({
      max_batch_size: 1_000,
      input: [{ name: 'features', data_type: 'TYPE_FP32', dims: [3] }],
    });
    expect(await get('/v2/models/late-arrival/stats')).toMatchObject({
      model_stats: [{ name: 'late-arrival', version: '1' }],
    });
    expect((await fetch(`${url}/v2/models/late-arrival/ready`)).status).toBe(200);
    expect((await fetch(`${url}/v2/models/late-arrival/versions/2/ready`)).status).toBe(503);
    expect((await fetch(`${url}/v2/models/nobody/ready`)).status).toBe(404);
    expect(await (await post(`${url}/v2/repository/index`, '')).json()).toEqual([
      { name: 'late-arrival', version: '1', state: 'READY', reason: '' },
    ]);
  });

  describe('with tokens', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rest-tokens-'));
    const file = join(folder, 'tokens.json');
    const digest = (token: string): string => createHash('sha256').update(token).digest('hex');
    writeFileSync(
      file,
      JSON.stringify([
        { sha256: digest('reads'), subject: 'ann', roles: ['viewer'] },
        { sha256: digest('operates'), subject: 'bo', roles: ['operator'] },
      ]),
    );
    afterAll(() => rmSync(folder, { recursive: true }));

    it('asks for one where it must, and lets probes in without', async () => {
      const url = await serve({ access: 'authenticated', tokens: new TokenTable(file) });
      const body = { inputs: [{ ...ROWS, data: [0, 0, 0, 1, 0, 0] }] };
      expect((await post(url + INFER, body)).status).toBe(401);
      expect((await post(url + INFER, body, { Authorization: 'Bearer reads' })).status).toBe(200);
      expect((await fetch(`${url}/v2/health/ready`)).status).toBe(200);
      const load = `${url}/v2/repository/models/late-arrival/load`;
      expect((await post(load, '', { Authorization: 'Bearer reads' })).status).toBe(403);
      expect((await post(load, '', { Authorization: 'Bearer operates' })).status).toBe(200);
      const unload = await post(load.replace(/load$/, 'unload'), '', { Authorization: 'Bearer operates' });
      expect([unload.status, await unload.json()]).toEqual([400, { error: expect.stringContaining('is deployed') }]);
    });
  });
});
