import {
  activeStates,
  allowedTransitions,
  isFinished,
  mayFollow,
  mergeRequests,
  runStates,
  type RunRequest,
} from './run';

const request = (fields: Partial<RunRequest> = {}): RunRequest => ({
  trigger: 'drift',
  reason: 'psi 0.3',
  requestedBy: 'monitor late-flights',
  shuffleLabels: false,
  decidedAtEventMicros: 10,
  ...fields,
});

describe('a training run', () => {
  it('goes from its request through join and fit to its end', () => {
    const path = ['queued', 'requested', 'joining', 'fitting', 'done'] as const;
    path.slice(1).forEach((state, index) => expect(mayFollow(path[index] ?? 'done', state)).toBe(true));
  });

  it('never skips the join or the fit', () => {
    expect(mayFollow('requested', 'fitting')).toBe(false);
    expect(mayFollow('joining', 'done')).toBe(false);
  });

  it.each(['done', 'failed', 'cancelled'] as const)('stays %s', (state) => {
    expect(isFinished(state)).toBe(true);
    for (const next of runStates) expect(mayFollow(state, next)).toBe(false);
  });

  it('can be cancelled until it is finished', () => {
    for (const state of runStates) expect(mayFollow(state, 'cancelled')).toBe(!isFinished(state));
  });

  it('can fail in every active state, and only there', () => {
    for (const state of runStates) expect(mayFollow(state, 'failed')).toBe(activeStates.includes(state));
  });

  it('names only known states in its table', () => {
    expect(Object.keys(allowedTransitions).sort()).toEqual([...runStates].sort());
  });
});

describe('requests that wait for the run in progress', () => {
  it('become one, which says what the newer one was for and keeps both reasons', () => {
    const merged = mergeRequests(
      request({ decidedAtEventMicros: 20 }),
      request({ trigger: 'performance', reason: 'brier +0.02', decidedAtEventMicros: 15 }),
    );
    expect(merged).toEqual(
      request({ trigger: 'performance', reason: 'psi 0.3; brier +0.02', decidedAtEventMicros: 20 }),
    );
  });

  it('do not repeat a reason', () => {
    expect(mergeRequests(request(), request()).reason).toBe('psi 0.3');
  });

  it('keep their reasons bounded', () => {
    const merged = mergeRequests(request({ reason: 'a'.repeat(999) }), request({ reason: 'b'.repeat(999) }));
    expect(merged.reason).toHaveLength(1_000);
  });
});
