import { events } from '@headrace/contracts';
import { formatTime, MICROS } from '@headrace/event-time';
import { ensureTopics } from '@headrace/messaging';
import { eventually, testKafkaBrokers, uniqueName } from '@headrace/testing';
import { Kafka, logLevel, type KafkaMessage } from 'kafkajs';
import { cases, profileJson, type Case } from './builders';
import { exposed } from './exposed';
import { MonitoringSystem, TOKENS } from './running-monitoring';

const PATIENT = { timeoutMs: 40_000 };

interface Answer {
  readonly status: number;
  readonly body: {
    readonly item?: {
      readonly predictionId: string;
      readonly lease: string;
      readonly joinKey: string;
      readonly reason: string;
      readonly asOfMicros: number;
      readonly features: object;
    } | null;
    readonly items?: readonly {
      readonly predictionId: string;
      readonly reason: string;
      readonly answeredBy: string | null;
      readonly published: boolean;
      readonly leasedBy: string | null;
    }[];
    readonly label?: number;
    readonly code?: string;
    readonly message?: string;
  };
}

describe('labels by people, on the real log and database', () => {
  jest.setTimeout(120_000);
  const system = new MonitoringSystem();
  let requests: Case[];

  beforeAll(async () => {
    await system.start();
    await ensureTopics(testKafkaBrokers(), [
      { name: system.stream, partitions: 1, cleanup: 'delete', retentionMs: -1 },
    ]);
    await system.define({ labelling: { queue: 12, within: '2d', lease: '8s' } });
    requests = cases({ seed: 3, days: 3, perDay: 100 });
    await system.deploy({ champion: 1, profile: await system.putProfile(profileJson(requests)) });
    await system.predictions(requests);
  }, 90_000);
  afterAll(() => system.stop(), 30_000);

  async function http(path: string, body?: object, token: string | undefined = TOKENS.dana): Promise<Answer> {
    const response = await fetch(`${system.url}/v1/labelling/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }
  const next = (body: object = {}) => http(`monitors/${system.name}/next`, body);
  const list = async () => (await http(`monitors/${system.name}`)).body.items ?? [];
  const answer = (id: string, lease: string, fields: object) =>
    http(`predictions/${encodeURIComponent(id)}/answer`, { lease, fields });

  async function taken(body: object = {}) {
    return eventually(async () => {
      const { item } = (await next(body)).body;
      if (!item) throw new Error('nothing to take');
      return item;
    }, PATIENT);
  }

  it('holds as many as declared: the most uncertain, the most drifted, and some at random', async () => {
    await eventually(async () => expect(await list()).toHaveLength(12), PATIENT);
    const items = await list();
    const ids = (reason: string): string[] =>
      items.filter((item) => item.reason === reason).map(({ predictionId }) => predictionId);
    expect([ids('uncertain'), ids('drifted'), ids('random')].map(({ length }) => length)).toEqual([4, 4, 4]);
    const newest = Math.max(...requests.map(({ asOfMicros }) => asOfMicros));
    const uncertain = requests
      .filter(({ asOfMicros }) => asOfMicros > newest - 2 * MICROS.d)
      .sort((a, b) => Math.abs(a.score - 0.5) - Math.abs(b.score - 0.5))
      .slice(0, 4)
      .map(({ predictionId }) => `${system.name}-${predictionId}`);
    expect(ids('uncertain').sort()).toEqual(uncertain.sort());
    const open = { monitor: system.name, reason: 'random', state: 'open' };
    await eventually(async () => expect(await exposed('headrace_monitoring_label_queue_items', open)).toBe(4), PATIENT);
  });

  it('offers nothing twice at once, and again when a lease has ended', async () => {
    await eventually(async () => expect(await list()).toHaveLength(12), PATIENT);
    const all = await Promise.all(Array.from({ length: 20 }, () => next()));
    const offered = all.flatMap(({ body }) => body.item?.predictionId ?? []);
    expect(new Set(offered).size).toBe(offered.length);
    expect(offered).toHaveLength(12);
    const [first] = all.flatMap(({ body }) => body.item ?? []);
    expect((await list()).filter(({ leasedBy }) => leasedBy === 'dana')).not.toHaveLength(0);
    const again = await taken();
    expect(offered).toContain(again.predictionId);
    // Whoever let the time pass cannot answer any more.
    await eventually(async () => {
      const late = await answer(first?.predictionId ?? '', first?.lease ?? '', { late: 1 });
      expect(late).toMatchObject({ status: 409, body: { code: 'lease_lost' } });
    });
  });

  it('publishes an answer as a record of the label’s stream, which ingestion judges like any other', async () => {
    const item = await taken({ reason: 'uncertain' });
    const wrong = await answer(item.predictionId, item.lease, { late: 7 });
    expect(wrong).toMatchObject({ status: 400, body: { code: 'bad_answer' } });
    const unknown = await answer(item.predictionId, item.lease, { later: 1 });
    expect(unknown.body.message).toBe('the stream has no field "later": it has id, at, late');
    expect(await answer(item.predictionId, item.lease, { late: 1 })).toMatchObject({ status: 200, body: { label: 1 } });
    expect(await answer(item.predictionId, item.lease, { late: 1 })).toMatchObject({
      status: 409,
      body: { code: 'answered' },
    });
    expect(await exposed('headrace_monitoring_label_answers_total', { monitor: system.name })).toBe(1);
    const [record] = await recordsOn(system.stream);
    expect(record?.key?.toString()).toBe(item.joinKey);
    expect(JSON.parse(record?.value?.toString() ?? '')).toEqual({
      id: item.joinKey,
      at: formatTime(item.asOfMicros),
      late: 1,
    });
    const header = (name: string): string => String(record?.headers?.[name]);
    expect([header('ce_specversion'), header('ce_id'), header('content-type')]).toEqual([
      '1.0',
      item.predictionId,
      'application/json',
    ]);
    await eventually(async () => {
      const found = (await list()).find(({ predictionId }) => predictionId === item.predictionId);
      expect(found).toMatchObject({ answeredBy: 'dana', published: true });
    }, PATIENT);
  });

  it('asks nobody about what a label came for by itself', async () => {
    await eventually(async () => expect((await list()).length).toBeGreaterThanOrEqual(12), PATIENT);
    await system.labels(requests);
    await eventually(
      async () => expect((await list()).filter(({ answeredBy }) => answeredBy === null)).toEqual([]),
      PATIENT,
    );
    expect((await next()).body).toEqual({ item: null });
    await eventually(() => expect(system.heardOf(events.GroundTruthArrived).length).toBeGreaterThan(0), PATIENT);
  });

  it('lets only those in who may, and says what is wrong', async () => {
    expect((await http(`monitors/${system.name}`, undefined, 'nobody')).status).toBe(401);
    expect(await http(`monitors/${system.name}`, undefined, TOKENS.vera)).toMatchObject({ status: 403 });
    expect((await next({ reason: 'boredom' })).body.message).toContain('reason');
    expect(await http('monitors/nowhere')).toMatchObject({ status: 404, body: { code: 'monitor_unknown' } });
    expect((await answer('p', 'x', {})).body.message).toContain('lease');
    const large = await answer('p', crypto.randomUUID(), { late: 'x'.repeat(9_000), more: 'y'.repeat(70_000) });
    expect(large).toMatchObject({ status: 400, body: { code: 'too_large' } });
  });
});

/** All that stands on the topic, once there is something. */
async function recordsOn(topic: string): Promise<KafkaMessage[]> {
  const kafka = new Kafka({ clientId: 'spec', brokers: [...testKafkaBrokers()], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: uniqueName('spec') });
  const found: KafkaMessage[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ eachMessage: ({ message }) => Promise.resolve(void found.push(message)) });
    await eventually(() => expect(found).not.toHaveLength(0), PATIENT);
  } finally {
    await consumer.disconnect();
  }
  return found;
}
