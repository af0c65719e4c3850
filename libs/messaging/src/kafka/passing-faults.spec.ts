import { PassingFaults } from './passing-faults';

const NOT_LEADER = 'Response Fetch: This server is not the leader for that topic-partition';

describe('passing faults of the broker', () => {
  it('are not worth a warning until they last', () => {
    const faults = new PassingFaults();
    expect(faults.isPassing(NOT_LEADER, 0)).toBe(true);
    expect(faults.isPassing(NOT_LEADER, 9_000)).toBe(true);
    expect(faults.isPassing(NOT_LEADER, 10_000)).toBe(false);
  });

  it('begin anew after a silence', () => {
    const faults = new PassingFaults();
    expect(faults.isPassing(NOT_LEADER, 0)).toBe(true);
    expect(faults.isPassing(NOT_LEADER, 60_000)).toBe(true);
  });

  it('do not cover anything else', () => {
    expect(new PassingFaults().isPassing('Connection error: connect ECONNREFUSED 127.0.0.1:9092', 0)).toBe(false);
  });
});
