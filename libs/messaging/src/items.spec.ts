import { events } from '@headrace/contracts';
import { TrainingFailed } from '@headrace/contracts/proto/training/v1/training_events';
import { encodeAttributes } from './envelope';
import { classify, nameOf } from './items';
import { GroupRoutes } from './routes';
import { normaliseHeaders } from './stored-record';
import { TopicSelection } from './topic-subscriptions';
import type { HandlerOptions, RawRecord } from './types';

const KNOWN = Buffer.from(TrainingFailed.encode(TrainingFailed.fromPartial({ plan: 'daily', code: 'boom' })).finish());
/** What a newer producer may add: field 99, varint 7; field 100, a text. */
const FROM_THE_FUTURE = Buffer.from([0x98, 0x06, 0x07, 0xa2, 0x06, 0x03, 0x6e, 0x65, 0x77]);

function record(type: string, value: Buffer): RawRecord {
  const attributes = {
    id: 'e1',
    source: '/headrace/training',
    type,
    timeMicros: 1_700_000_000_000_000,
    subject: '',
    correlationId: 'e1',
    causationId: '',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  const producer = { ce_producershard: 'training/3', ce_producersequence: '42' };
  return {
    topic: 'training.v1',
    partition: 0,
    offset: 0,
    timestampMs: 0,
    key: Buffer.from('daily'),
    value,
    headers: normaliseHeaders({ ...encodeAttributes(attributes).toRecord(), ...producer }),
  };
}

function routes(options: Partial<HandlerOptions> = {}): GroupRoutes {
  const group = new GroupRoutes('group', new TopicSelection());
  add(group, options);
  return group;
}

function add(group: GroupRoutes, options: Partial<HandlerOptions>, definition = events.TrainingFailed as never): void {
  const binding = { kind: 'event', definition, options: { deadLetter: 'reorder-safe', ...options } } as const;
  group.add(binding, () => Promise.resolve(undefined));
}

describe('an event of a newer producer', () => {
  it('passes when it has fields that this version does not know', () => {
    const item = classify(record(events.TrainingFailed.type, Buffer.concat([KNOWN, FROM_THE_FUTURE])), routes());
    expect(item).toMatchObject({ kind: 'event', event: { data: { plan: 'daily', code: 'boom' } } });
  });

  it('is dead-lettered when its type is unknown, unless the group declares otherwise', () => {
    const unknown = record('headrace.training.v1.TrainingImagined', KNOWN);
    for (const group of [routes(), routes({ unknownTypes: 'dead-letter' })]) {
      const item = classify(unknown, group);
      expect(item).toMatchObject({ kind: 'dead', letter: { reason: 'unknown_type', code: 'unknown_type' } });
      expect(nameOf(item)).toBe('unknown');
    }
    expect(classify(unknown, routes({ unknownTypes: 'ignore' }))).toMatchObject({ kind: 'skip' });
  });

  it('is still dead-lettered as undecodable by a group that ignores unknown types', () => {
    const broken = record(events.TrainingFailed.type, Buffer.from([0x0a, 0x7f]));
    expect(classify(broken, routes({ unknownTypes: 'ignore' }))).toMatchObject({
      kind: 'dead',
      letter: { reason: 'undecodable' },
    });
  });
});

describe('what a group declares of unknown types', () => {
  it('holds for all its handlers, also those that say nothing', () => {
    const group = routes();
    add(group, { unknownTypes: 'ignore' }, events.ModelTrained as never);
    expect(group.unknownTypes).toBe('ignore');
  });

  it('cannot be two things', () => {
    const group = routes({ unknownTypes: 'ignore' });
    expect(() => add(group, { unknownTypes: 'dead-letter' }, events.ModelTrained as never)).toThrow(
      'group group: one handler declares unknownTypes "ignore", another "dead-letter"',
    );
  });
});
