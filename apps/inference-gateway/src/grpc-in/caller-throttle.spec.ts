import { DomainError } from '@headrace/contracts';
import { CallerThrottle } from './caller-throttle';

describe('the throttle of callers', () => {
  const noRoom = new DomainError('exhausted', 'queue_full', 'too much waits');
  let nowMs = 0;
  let utilization = 1;
  let refusals = 0;
  const throttleOf = () =>
    new CallerThrottle({ utilization: () => utilization, nowMs: () => nowMs, onRefused: () => (refusals += 1) });

  beforeEach(() => {
    nowMs = refusals = 0;
    utilization = 1;
  });

  /** For so many milliseconds; of those that are let in the first so many of each millisecond are answered. Returns what came in. */
  function load(
    throttle: CallerThrottle,
    milliseconds: number,
    callers: Record<string, { calls: number; answered: number }>,
  ): Record<string, number> {
    const admission = throttle.admission('predict');
    const letIn = Object.fromEntries(Object.keys(callers).map((name) => [name, 0]));
    for (let end = nowMs + milliseconds; nowMs < end; nowMs += 1) {
      for (const [name, { calls, answered }] of Object.entries(callers)) {
        let room = answered;
        for (let call = 0; call < calls; call += 1) {
          if (admission.refusal(() => name)) continue;
          letIn[name] = (letIn[name] ?? 0) + 1;
          if (room > 0) room -= 1;
          else throttle.failed(noRoom, () => name);
        }
      }
    }
    return letIn;
  }

  it('lets a caller in about twice as often as it is answered, and who is answered always', () => {
    const throttle = throttleOf();
    const callers = { flood: { calls: 20, answered: 2 }, modest: { calls: 1, answered: 1 } };
    load(throttle, 1_000, callers);
    refusals = 0;
    const { flood = 0, modest } = load(throttle, 1_000, callers);
    expect(flood / 2_000).toBeGreaterThan(1.8);
    expect(flood / 2_000).toBeLessThan(2.4);
    expect(modest).toBe(1_000);
    expect(refusals).toBe(20_000 - flood);
  });

  it('leaves everybody alone while the event loop has time: the queues refuse by model, which is fairer', () => {
    utilization = 0.5;
    expect(load(throttleOf(), 1_000, { flood: { calls: 20, answered: 2 } })).toEqual({ flood: 20_000 });
  });

  it('lets everybody in soon after the flood', () => {
    const throttle = throttleOf();
    load(throttle, 1_000, { flood: { calls: 20, answered: 2 } });
    expect(refusals).toBeGreaterThan(0);
    load(throttle, 150, { flood: { calls: 1, answered: 1 } });
    refusals = 0;
    load(throttle, 100, { flood: { calls: 2, answered: 2 } });
    expect(refusals).toBe(0);
  });

  it('finds its way back when nothing at all was answered for a while', () => {
    const throttle = throttleOf();
    load(throttle, 2_000, { flood: { calls: 20, answered: 0 } });
    load(throttle, 1_000, { flood: { calls: 20, answered: 2 } });
    const { flood = 0 } = load(throttle, 1_000, { flood: { calls: 20, answered: 2 } });
    expect(flood / 2_000).toBeGreaterThan(1.5);
  });

  it('takes other errors for answers', () => {
    const throttle = throttleOf();
    const wrong = new DomainError('invalid', 'shape', 'expected [N, 11]');
    for (let call = 0; call < 1_000; call += 1, nowMs += 1) {
      expect(throttle.admission('predict').refusal(() => 'a')).toBeUndefined();
      throttle.failed(wrong, () => 'a');
    }
  });
});
