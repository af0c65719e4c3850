import { randomUUID } from 'node:crypto';
import { eventSpanId, eventTraceparent, isSampled, isTraceparent, spanIdOf, traceIdOf } from './traceparent';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('traceparent', () => {
  it.each([`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-ff`])('accepts %s', (text) => {
    expect(isTraceparent(text)).toBe(true);
    expect([traceIdOf(text), spanIdOf(text)]).toEqual([TRACE, SPAN]);
  });

  it.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['another version', `01-${TRACE}-${SPAN}-01`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['missing flags', `00-${TRACE}-${SPAN}`],
    ['more parts', `00-${TRACE}-${SPAN}-01-what`],
    ['a line end', `00-${TRACE}-${SPAN}-01\n`],
  ])('refuses %s', (_, text) => {
    expect(isTraceparent(text)).toBe(false);
  });

  it('gives an event a span of its own in the trace that it continues, and keeps the decision to record it', () => {
    for (const flags of ['00', '01']) {
      const context = eventTraceparent('e1', `00-${TRACE}-${SPAN}-${flags}`);
      expect(isTraceparent(context)).toBe(true);
      expect(traceIdOf(context)).toBe(TRACE);
      expect(spanIdOf(context)).not.toBe(SPAN);
      expect(isSampled(context)).toBe(flags === '01');
    }
  });

  it('keeps no unknown flags', () => {
    expect(eventTraceparent('e1', `00-${TRACE}-${SPAN}-ff`)).toMatch(/-01$/);
  });

  it('gives the same event the same span, whoever asks', () => {
    const context = `00-${TRACE}-${SPAN}-01`;
    expect(eventTraceparent('orders/3/17', context)).toBe(eventTraceparent('orders/3/17', context));
  });

  it.each([undefined, 'nonsense', `00-${'0'.repeat(32)}-${SPAN}-01`])('begins a trace after %s', (continued) => {
    const [first, second] = [eventTraceparent('e1', continued), eventTraceparent('e1', continued)];
    expect(isTraceparent(first)).toBe(true);
    expect(isSampled(first)).toBe(true);
    expect(traceIdOf(first)).not.toBe(traceIdOf(second));
  });

  it('gives different events different spans', () => {
    const ids = Array.from({ length: 100_000 }, (_, nth) => (nth % 2 === 0 ? `orders/3/${nth}` : randomUUID()));
    expect(new Set(ids.map(eventSpanId)).size).toBe(ids.length);
  });
});
