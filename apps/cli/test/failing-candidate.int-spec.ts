// A candidate that passed everything, and fails when it is asked: the whole system notices without a label.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import { events } from '@headrace/contracts';
import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { doubleValue, kinds, stringValue } from '@headrace/definitions';
import { installationFolders } from '@headrace/embedded';
import { BULK_PUBLISHER, MessagingModule, type BulkPublisher } from '@headrace/messaging';
import { eventually } from '@headrace/testing';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import { applyDefinitions, waitUntilReady } from '../src/commands/apply';
import type { Clients } from '../src/connection';
import { WholeSystem } from './whole-system';

jest.setTimeout(180_000);
const PATIENCE = { timeoutMs: 60_000 };
const NAME = 'far-away';
const COLUMNS = Array.from({ length: 11 }, (_, index) => (index === 0 ? 'distance' : `other_${index}`));
const fixtures = join(installationFolders().repository, 'apps', 'inference-gateway', 'test', 'fixtures');

describe('a candidate that fails when it is asked', () => {
  let system: WholeSystem;
  let clients: Clients;
  let asked = 0;
  const answered = new Set<string>();

  beforeAll(async () => {
    system = await WholeSystem.start();
    ({ clients } = system);
    const document = { apiVersion: 'headrace.dev/v1', metadata: { name: NAME } } as const;
    const definitions = [
      kinds.Model.parse({ ...document, kind: 'Model', spec: { task: 'binary' } }),
      kinds.Endpoint.parse({ ...document, kind: 'Endpoint', spec: { model: NAME, joinKey: 'flight' } }),
    ];
    await applyDefinitions(clients, definitions, false);
    await waitUntilReady(clients, definitions, 30_000);
  });

  afterAll(() => system?.stop());

  async function train(file: string): Promise<void> {
    const store = new ArtifactStore(join(system.directory, 'artifacts'));
    const modelArtifact = await store.putFile(join(fixtures, file), 'model.onnx');
    const features = COLUMNS.map((name) => ({ name, requestExpression: `request.${name}` }));
    const data = ModelTrained.fromPartial({
      runId: randomUUID(),
      plan: NAME,
      model: NAME,
      modelArtifact,
      signature: { task: 'binary', features },
    });
    const trainer = await NestFactory.createApplicationContext(
      MessagingModule.forService({ service: 'training', brokers: [system.kafka] }),
      { logger: false },
    );
    const producer = { shard: randomUUID(), sequence: 1 };
    await trainer
      .get<BulkPublisher>(BULK_PUBLISHER)
      .publish([{ definition: events.ModelTrained as never, data, id: randomUUID(), cause: null, producer }]);
    await trainer.close();
  }

  async function predict(distance: number, flight = `flight-${asked}`, predictionId = '') {
    const { inference } = clients;
    asked += 1;
    const numbers = Object.fromEntries(COLUMNS.map((name) => [name, doubleValue(name === 'distance' ? distance : 1)]));
    const request = { flight: stringValue(flight), ...numbers };
    const asking = { endpoint: NAME, entities: {}, request, asOfMicros: 0, predictionId };
    const answer = await clients.call(inference.predict.bind(inference), asking);
    answered.add(answer.predictionId);
    return answer;
  }

  const endpoint = () => clients.call(clients.registry.getEndpoint.bind(clients.registry), { endpoint: NAME });

  it('is rolled back within seconds, and every request was answered by the champion', async () => {
    await train('flight-like-small.onnx');
    await eventually(async () => expect(await predict(500)).toMatchObject({ version: 1 }), PATIENCE);
    await train('hostile/no-score-far-away.onnx');
    await eventually(async () => expect((await predict(500)).version).toBe(2), PATIENCE);
    const answers: { version: number; fallback: boolean }[] = [];
    const ended = await eventually(async () => {
      answers.push(await predict(2_000_000));
      const last = (await endpoint()).history.at(-1)?.change;
      expect(last?.change).toBe('rolled_back');
      return last;
    }, PATIENCE);
    expect(ended).toMatchObject({ version: 2, previousVersion: 1, actor: 'policy' });
    expect(ended?.reason).toMatch(/could not score \d+ of \d+ requests .*probabilities is NaN/);
    expect(answers.every(({ version, fallback }) => version === 1 && !fallback)).toBe(true);
  });

  it('is no reason to count an answer twice: a caller tries again after the gateway was killed', async () => {
    const database = new Client({ connectionString: system.database });
    await database.connect();
    const counted = async (): Promise<number> => {
      const sql = 'SELECT predictions::int AS predictions FROM monitoring.endpoint_counters WHERE endpoint = $1';
      return (await database.query<{ predictions: number }>(sql, [NAME])).rows[0]?.predictions ?? 0;
    };
    try {
      const sql = 'SELECT 1 FROM monitoring.predictions WHERE prediction_id = $1';
      const arrived = (id: string) =>
        eventually(async () => expect((await database.query(sql, [id])).rowCount).toBe(1), PATIENCE);
      await eventually(async () => expect(await counted()).toBe(answered.size), PATIENCE);
      for (const id of ['retried-1', 'retried-2', 'retried-3']) {
        await predict(500, 'the-same-flight', id);
        system.kill('inference-gateway');
        const again = await eventually(() => predict(500, 'the-same-flight', id), PATIENCE);
        expect(again.predictionId).toBe(id);
        // What a killed gateway had not published yet is gone: the next kill must not take this answer along.
        await arrived(id);
      }
      // Behind them in the same partition: when it is counted, whatever they left on the log was read.
      await predict(500, 'the-same-flight', 'after-them');
      await arrived('after-them');
      expect(await counted()).toBe(answered.size);
    } finally {
      await database.end();
    }
  });
});
