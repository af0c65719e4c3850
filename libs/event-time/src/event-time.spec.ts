import { formatDuration, formatTime, parseDuration, parseTime, tumblingWindowOf, watermarkOf } from './index';

describe('durations', () => {
  it('reads a whole number with a unit', () => {
    expect(parseDuration('3h')).toBe(10_800_000_000);
    expect(parseDuration('500ms')).toBe(500_000);
  });

  it.each(['', '3', 'h', '-1h', '1.5h', '0s', '3 h', '1w'])('refuses %p and says what is allowed', (text) => {
    expect(() => parseDuration(text)).toThrow(/such as 500ms, 30s, 10m, 3h or 7d/);
  });

  it('writes the largest exact unit', () => {
    expect(formatDuration(parseDuration('24h'))).toBe('1d');
    expect(formatDuration(parseDuration('90m'))).toBe('90m');
  });
});

describe('times', () => {
  it('keeps microseconds through a round trip', () => {
    expect(parseTime('2001-01-31T23:59:59.123456Z')).toBe(980_985_599_123_456);
    expect(formatTime(980_985_599_123_456)).toBe('2001-01-31T23:59:59.123456Z');
  });

  it('honours an offset', () => {
    expect(parseTime('2001-01-01T00:00:00-05:00')).toBe(parseTime('2001-01-01T05:00:00Z'));
  });

  it.each(['2001-01-01', '2001-01-01T00:00:00', 'yesterday', '2001-13-01T00:00:00Z'])(
    'does not take %p for a time',
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );
});

describe('a watermark', () => {
  it('is held back by the slowest partition that is not idle', () => {
    expect(
      watermarkOf([
        { partition: 0, maxTimeMicros: 100, idle: false },
        { partition: 1, maxTimeMicros: 50, idle: false },
        { partition: 2, maxTimeMicros: 10, idle: true },
      ]),
    ).toBe(49);
  });

  it('is unknown while an active partition has seen nothing', () => {
    expect(
      watermarkOf([
        { partition: 0, maxTimeMicros: 100, idle: false },
        { partition: 1, maxTimeMicros: -Infinity, idle: false },
      ]),
    ).toBe(-Infinity);
  });

  it('is the highest time seen when every partition is idle', () => {
    expect(
      watermarkOf([
        { partition: 0, maxTimeMicros: 100, idle: true },
        { partition: 1, maxTimeMicros: -Infinity, idle: true },
      ]),
    ).toBe(100);
  });
});

describe('a tumbling window', () => {
  it('includes its start and excludes its end', () => {
    expect(tumblingWindowOf(20, 10)).toEqual({ startMicros: 20, endMicros: 30 });
    expect(tumblingWindowOf(29, 10)).toEqual({ startMicros: 20, endMicros: 30 });
  });
});
