import type { TracedEvent } from '@headrace/contracts/proto/registry/v1/registry_service';
import { traceOf, treeOf } from './trace-tree';

let clock = 0;
function traced(name: string, cause = ''): TracedEvent {
  clock += 1;
  return {
    id: name,
    type: `headrace.test.v1.${name.replace(/\d/, '')}`,
    topic: 'test.v1',
    subject: '',
    timeMicros: clock * 1_000_000,
    causationId: cause,
    correlationId: 'loop',
  };
}

const chain = [traced('Data'), traced('Dataset', 'Data'), traced('Trained', 'Dataset')];
const effects = [
  traced('Registered', 'Trained'),
  traced('Alert', 'Trained'),
  traced('Gate', 'Registered'),
  traced('Validated', 'Gate'),
];

describe('the trace of an event', () => {
  it('is a tree: below each event what it caused, with the one that was asked for marked', () => {
    const lines = treeOf(traceOf({ chain, effects, effectsCut: false }));
    const time = (second: number): string => `1970-01-01T00:00:0${second}.000000Z`;
    expect(lines).toEqual([
      `Data  ${time(1)}  Data`,
      `└─ Dataset  ${time(2)}  Dataset`,
      `   └─ Trained  ${time(3)}  Trained  ◄`,
      `      ├─ Registered  ${time(4)}  Registered`,
      `      │  └─ Gate  ${time(6)}  Gate`,
      `      │     └─ Validated  ${time(7)}  Validated`,
      `      └─ Alert  ${time(5)}  Alert`,
    ]);
  });

  it('is also data: causes oldest first, and effects nested', () => {
    const trace = traceOf({ chain, effects, effectsCut: false });
    expect(trace.causes.map(({ id }) => id)).toEqual(['Data', 'Dataset']);
    expect(trace.event.id).toBe('Trained');
    expect(trace.event.effects.map(({ id, effects: more }) => [id, more.map((one) => one.id)])).toEqual([
      ['Registered', ['Gate']],
      ['Alert', []],
    ]);
  });

  it('says when there is more than it shows', () => {
    expect(treeOf(traceOf({ chain: chain.slice(0, 1), effects: [], effectsCut: true })).at(-1)).toContain('more');
  });
});
