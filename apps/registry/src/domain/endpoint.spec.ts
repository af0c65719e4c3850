import { aRollout, anEndpointState, stagesOfWeights } from '../../test/builders';
import {
  concernsCandidate,
  emptyEndpoint,
  isCurrent,
  offer,
  signal,
  type EndpointState,
  type OfferDecision,
} from './endpoint';

const steps = [{ weight: 20 }, { weight: 50 }];
const canary = { strategy: 'canary', steps } as const;
const direct = { strategy: 'direct', steps } as const;
const begin = { rolloutId: 'rollout-1', nowMicros: 5 };
const NOW = 9;
const offered = (version: number, byWaiver = false) => ({ version, byWaiver });

function stateAfter(decision: OfferDecision): EndpointState {
  if (decision.kind !== 'changed' && decision.kind !== 'waits') throw new Error(decision.kind);
  return decision.state;
}

describe('a version offered to an endpoint', () => {
  it('is deployed at once when nothing was, even where canaries are declared', () => {
    expect(offer(emptyEndpoint, offered(1), canary, begin)).toEqual({
      kind: 'changed',
      change: 'deployed',
      version: 1,
      previousVersion: 0,
      state: { generation: 1, champion: 1, rollout: undefined, waiting: undefined },
      ended: undefined,
    });
  });

  it('is deployed at once where that is the strategy', () => {
    const decision = offer(anEndpointState({ generation: 4, champion: 1 }), offered(2), direct, begin);
    expect(decision).toMatchObject({ change: 'deployed', previousVersion: 1, state: { generation: 5, champion: 2 } });
  });

  it('becomes a canary next to the champion', () => {
    const decision = offer(anEndpointState({ generation: 4, champion: 1 }), offered(2, true), canary, begin);
    expect(decision).toMatchObject({
      change: 'canary_started',
      version: 2,
      previousVersion: 1,
      state: {
        generation: 5,
        champion: 1,
        rollout: {
          rolloutId: 'rollout-1',
          candidate: 2,
          champion: 1,
          strategy: 'canary',
          stages: stagesOfWeights([20, 50]),
          step: 0,
          stepStartedAtMicros: 5,
          passed: false,
          paused: false,
          byWaiver: true,
          startedAtMicros: 5,
          sinceGeneration: 5,
        },
      },
    });
  });

  it.each([
    ['blue-green', { weight: 0, ends: 'verdict' }],
    ['shadow', { weight: 0, ends: 'person' }],
    ['champion-challenger', { weight: 0, ends: 'verdict' }],
    ['ab', { weight: 20, ends: 'verdict' }],
  ] as const)('begins a rollout of its own kind by strategy %s', (strategy, first) => {
    const policy = { strategy, steps, unit: strategy === 'ab' ? 'customer' : undefined };
    const decision = offer(anEndpointState({ champion: 1 }), offered(2), policy, begin);
    expect(decision).toMatchObject({ change: 'rollout_started', version: 2 });
    const { rollout } = stateAfter(decision);
    expect(rollout).toMatchObject({ strategy, unit: strategy === 'ab' ? 'customer' : '', passed: false });
    expect(rollout?.stages[0]).toMatchObject(first);
  });

  it('waits while a rollout is in progress', () => {
    const state = anEndpointState({ rollout: aRollout({ candidate: 2 }) });
    expect(offer(state, offered(3), canary, begin)).toEqual({
      kind: 'waits',
      state: { ...state, waiting: offered(3) },
      superseded: undefined,
    });
  });

  it('takes the place of an older one that waits', () => {
    const state = anEndpointState({ rollout: aRollout({ candidate: 2 }), waiting: offered(3) });
    const decision = offer(state, offered(4), canary, begin);
    expect(decision).toMatchObject({ kind: 'waits', superseded: offered(3) });
    expect(stateAfter(decision).waiting).toEqual(offered(4));
  });

  it('gives way to a newer one that waits', () => {
    const state = anEndpointState({ rollout: aRollout({ candidate: 2 }), waiting: offered(4) });
    expect(offer(state, offered(3), canary, begin)).toEqual({ kind: 'superseded', by: 4 });
  });

  it.each([
    ['the champion', anEndpointState({ champion: 2 })],
    ['the candidate', anEndpointState({ rollout: aRollout({ candidate: 2 }) })],
    ['waiting', anEndpointState({ rollout: aRollout({ candidate: 3 }), waiting: offered(2) })],
  ])('changes nothing when it is %s already', (_what, state) => {
    expect(offer(state, offered(2), canary, begin)).toEqual({ kind: 'known' });
  });

  it('waits behind a direct deployment only if a rollout is in progress', () => {
    const state = anEndpointState({ rollout: aRollout({ candidate: 2 }) });
    expect(offer(state, offered(3), direct, begin).kind).toBe('waits');
  });
});

describe('a rollout in progress', () => {
  const state = anEndpointState({
    generation: 7,
    champion: 1,
    rollout: aRollout({ candidate: 2, stages: stagesOfWeights([20, 50]) }),
  });

  it('advances with a new generation', () => {
    expect(signal(state, 'verdict-promote', NOW)).toMatchObject({
      change: 'canary_advanced',
      state: { generation: 8, champion: 1, rollout: { step: 1 } },
      ended: undefined,
    });
  });

  it('ends with the candidate as champion when it is promoted', () => {
    expect(signal(state, 'operator-promote', NOW)).toMatchObject({
      change: 'promoted',
      version: 2,
      previousVersion: 1,
      state: { generation: 8, champion: 2, rollout: undefined },
      ended: { candidate: 2 },
    });
  });

  it.each([
    ['verdict-roll-back', 'rolled_back'],
    ['load-failed', 'rolled_back'],
    ['operator-abort', 'aborted'],
  ] as const)('ends with the old champion by %s', (heard, change) => {
    expect(signal(state, heard, NOW)).toMatchObject({
      change,
      version: 2,
      previousVersion: 1,
      state: { generation: 8, champion: 1, rollout: undefined },
      ended: { candidate: 2 },
    });
  });

  it('keeps the waiting version for after its end', () => {
    const decision = signal({ ...state, waiting: offered(3) }, 'verdict-roll-back', NOW);
    expect(decision).toMatchObject({ state: { waiting: offered(3) } });
  });

  it('has no new generation when nothing changes', () => {
    expect(signal(state, 'verdict-none', NOW)).toEqual({ kind: 'kept' });
  });

  it('cannot hear signals when there is none', () => {
    expect(signal(anEndpointState(), 'verdict-promote', NOW)).toEqual({ kind: 'idle' });
  });
});

describe('what comes from outside', () => {
  const state = anEndpointState({ rollout: aRollout({ rolloutId: 'now', step: 1, candidate: 2, sinceGeneration: 5 }) });

  it('is an analysis of the rollout and the step in progress, or too late', () => {
    expect(isCurrent(state, { rolloutId: 'now', step: 1 })).toBe(true);
    expect(isCurrent(state, { rolloutId: 'now', step: 0 })).toBe(false);
    expect(isCurrent(state, { rolloutId: 'earlier', step: 1 })).toBe(false);
    expect(isCurrent(anEndpointState(), { rolloutId: 'now', step: 1 })).toBe(false);
  });

  it('is a failed load of the candidate since its rollout began, or of no concern', () => {
    expect(concernsCandidate(state, { version: 2, generation: 5 })).toBe(true);
    expect(concernsCandidate(state, { version: 2, generation: 4 })).toBe(false);
    expect(concernsCandidate(state, { version: 1, generation: 6 })).toBe(false);
    expect(concernsCandidate(anEndpointState(), { version: 2, generation: 6 })).toBe(false);
  });
});
