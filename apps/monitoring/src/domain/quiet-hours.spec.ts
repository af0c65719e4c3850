import { quietUntil, type QuietHours } from './quiet-hours';

const at = (text: string): number => Date.parse(text) * 1_000;
const until = (hours: QuietHours, moment: string): string | undefined => {
  const end = quietUntil(hours, at(moment));
  return end === undefined ? undefined : new Date(end / 1_000).toISOString();
};
const night: QuietHours = { from: '22:00', to: '06:30', timeZone: 'Europe/Berlin', clock: 'wall' };

describe('quiet hours', () => {
  it('reach over midnight, by the clocks of their zone in winter and in summer', () => {
    expect(until(night, '2026-01-10T20:59:59Z')).toBeUndefined();
    expect(until(night, '2026-01-10T21:00:00Z')).toBe('2026-01-11T05:30:00.000Z');
    expect(until(night, '2026-01-11T05:29:59.999Z')).toBe('2026-01-11T05:30:00.000Z');
    expect(until(night, '2026-01-11T05:30:00Z')).toBeUndefined();
    expect(until(night, '2026-07-10T20:00:00Z')).toBe('2026-07-11T04:30:00.000Z');
  });

  it('lie within a day as well', () => {
    const noon = { ...night, from: '12:00', to: '13:00', timeZone: 'Asia/Kathmandu' };
    expect(until(noon, '2026-01-10T06:14:59Z')).toBeUndefined();
    expect(until(noon, '2026-01-10T06:15:00Z')).toBe('2026-01-10T07:15:00.000Z');
    expect(until(noon, '2026-01-10T07:15:00Z')).toBeUndefined();
  });

  it('are an hour shorter in the night in which clocks are set forward, and longer when they are set back', () => {
    expect(until(night, '2026-03-28T22:00:00Z')).toBe('2026-03-29T04:30:00.000Z');
    expect(until(night, '2026-10-24T21:00:00Z')).toBe('2026-10-25T05:30:00.000Z');
  });

  it('end when clocks pass over their end, and at the first of two', () => {
    const early = { ...night, to: '02:30' };
    // 02:00 becomes 03:00 at 01:00 UTC.
    expect(until(early, '2026-03-29T00:10:00Z')).toBe('2026-03-29T01:00:00.000Z');
    // 03:00 becomes 02:00 at 01:00 UTC: 02:30 is there twice, and what follows the change is quiet again.
    expect(until(early, '2026-10-24T22:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(until(early, '2026-10-25T00:45:00Z')).toBeUndefined();
    expect(until(early, '2026-10-25T01:10:00Z')).toBe('2026-10-25T01:30:00.000Z');
  });
});
