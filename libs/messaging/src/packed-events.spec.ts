import { packEvents, sizeOfPacked, unpackEvents, type PackedEvent } from './packed-events';
import { HeaderBlock } from './record-bytes';

const event = (change: Partial<PackedEvent> = {}): PackedEvent => ({
  key: Buffer.from('k'),
  value: Buffer.from([1, 2, 3]),
  headers: HeaderBlock.of({ ce_id: 'e1', traceparent: 'x'.repeat(55) }),
  numbered: true,
  ...change,
});

describe('packed events', () => {
  it('come back as they were, in their order', () => {
    const events = [
      event(),
      event({ key: null, value: null, numbered: false }),
      event({ key: Buffer.alloc(0), value: Buffer.alloc(0), headers: HeaderBlock.of({}) }),
      event({ value: Buffer.alloc(300_000, 7) }),
    ];
    const packed = packEvents(events);
    expect(packed).toHaveLength(1 + events.reduce((sum, each) => sum + sizeOfPacked(each), 0));
    expect(unpackEvents(packed)).toEqual(events);
  });

  it('are refused when another version wrote them, or when they end too early', () => {
    const packed = packEvents([event()]);
    for (const end of [2, 5, packed.length - 1])
      expect(() => unpackEvents(packed.subarray(0, end))).toThrow(RangeError);
    packed[0] = 9;
    expect(() => unpackEvents(packed)).toThrow('packed events of version 9, known is 1');
  });
});
