import { aRollout, stagesOfWeights } from '../../test/builders';
import {
  candidateWeight,
  enterStep,
  phaseOf,
  react,
  reactions,
  type Next,
  type Phase,
  type RunningRollout,
  type Signal,
} from './rollout';
import { stagesOf } from './stages';

const NOW = 1_000;
const MINUTE = 60_000_000;

function rolloutIn(next: Next): RunningRollout {
  if (!('rollout' in next)) throw new Error(next.kind);
  return next.rollout;
}

function stagesBy(strategy: Parameters<typeof stagesOf>[0]['strategy'], pauses: (string | undefined)[] = [undefined]) {
  const steps = pauses.map((pause, index) => ({ weight: 20 * (index + 1), ...(pause === undefined ? {} : { pause }) }));
  return stagesOf({ strategy, steps }) ?? [];
}

describe('a rollout', () => {
  it('advances one step with each promoting verdict, and is promoted after the last', () => {
    const first = aRollout({ stages: stagesOfWeights([10, 30, 60]) });
    const second = react(first, 'verdict-promote', NOW);
    expect(second).toMatchObject({ kind: 'step', rollout: { step: 1, stepStartedAtMicros: NOW, passed: false } });
    const third = react(rolloutIn(second), 'verdict-promote', NOW);
    expect(third).toMatchObject({ kind: 'step', rollout: { step: 2 } });
    expect(candidateWeight(rolloutIn(third))).toBe(60);
    expect(react(rolloutIn(third), 'verdict-promote', NOW)).toEqual({ kind: 'promoted' });
  });

  it('stays where it is without a verdict, however long', () => {
    expect(react(aRollout(), 'verdict-none', NOW)).toEqual({ kind: 'kept' });
    expect(react(aRollout(), 'look', Number.MAX_SAFE_INTEGER)).toEqual({ kind: 'kept' });
  });

  it('remembers a promoting verdict while paused, and goes on only when resumed', () => {
    const paused = aRollout({ paused: true, stages: stagesOfWeights([20, 50]) });
    const noted = react(paused, 'verdict-promote', NOW);
    expect(noted).toMatchObject({ kind: 'noted', rollout: { step: 0, paused: true, passed: true } });
    expect(react(rolloutIn(noted), 'look', NOW)).toEqual({ kind: 'kept' });
    const resumed = rolloutIn(react(rolloutIn(noted), 'operator-resume', NOW));
    expect(react(resumed, 'look', NOW)).toMatchObject({ kind: 'step', rollout: { step: 1 } });
  });

  it.each([true, false])('is rolled back by a bad verdict or a failed load (paused: %s)', (paused) => {
    expect(react(aRollout({ paused }), 'verdict-roll-back', NOW)).toEqual({ kind: 'rolled_back' });
    expect(react(aRollout({ paused }), 'load-failed', NOW)).toEqual({ kind: 'rolled_back' });
  });

  it.each([true, false])('is promoted or aborted by an operator at any step (paused: %s)', (paused) => {
    expect(react(aRollout({ paused }), 'operator-promote', NOW)).toEqual({ kind: 'promoted' });
    expect(react(aRollout({ paused }), 'operator-abort', NOW)).toEqual({ kind: 'aborted' });
  });

  it('is paused and resumed in turn', () => {
    expect(react(aRollout(), 'operator-pause', NOW)).toMatchObject({ kind: 'paused', rollout: { paused: true } });
    expect(react(aRollout({ paused: true }), 'operator-resume', NOW)).toMatchObject({
      kind: 'resumed',
      rollout: { paused: false },
    });
    expect(react(aRollout({ paused: true }), 'operator-pause', NOW)).toMatchObject({ kind: 'refused' });
    expect(react(aRollout(), 'operator-resume', NOW)).toMatchObject({ kind: 'refused' });
  });
});

describe('a step with a pause', () => {
  const begun = enterStep(aRollout({ stages: stagesBy('canary', ['10m', undefined]) }), 0, 0);

  it('waits for its verdict first, then for the rest of its pause', () => {
    expect(react(begun, 'look', 20 * MINUTE)).toEqual({ kind: 'kept' });
    const passed = react(begun, 'verdict-promote', 4 * MINUTE);
    expect(passed).toMatchObject({ kind: 'noted', rollout: { step: 0, passed: true } });
    expect(react(rolloutIn(passed), 'look', 10 * MINUTE - 1)).toEqual({ kind: 'kept' });
    expect(react(rolloutIn(passed), 'look', 10 * MINUTE)).toMatchObject({ kind: 'step', rollout: { step: 1 } });
  });

  it('ends with its verdict when that comes after the pause', () => {
    expect(react(begun, 'verdict-promote', 10 * MINUTE)).toMatchObject({ kind: 'step', rollout: { step: 1 } });
  });

  it.each(['verdict-roll-back', 'load-failed'] as const)('is over at once by %s, though it had passed', (heard) => {
    const passed = rolloutIn(react(begun, 'verdict-promote', MINUTE));
    expect(react(passed, heard, 2 * MINUTE)).toEqual({ kind: 'rolled_back' });
  });

  it('until-resumed pauses itself after its verdict, and goes on when a person resumes it', () => {
    const asks = enterStep(aRollout({ stages: stagesBy('canary', ['until-resumed', undefined]) }), 0, 0);
    const paused = react(asks, 'verdict-promote', MINUTE);
    expect(paused).toMatchObject({ kind: 'paused', rollout: { step: 0, paused: true } });
    const resumed = rolloutIn(react(rolloutIn(paused), 'operator-resume', 2 * MINUTE));
    expect(react(resumed, 'look', 2 * MINUTE)).toMatchObject({ kind: 'step', rollout: { step: 1, confirmed: false } });
  });

  it('until-resumed is not passed over by a pause that was resumed before the verdict', () => {
    const asks = enterStep(aRollout({ stages: stagesBy('canary', ['until-resumed']) }), 0, 0);
    const resumed = rolloutIn(react(rolloutIn(react(asks, 'operator-pause', 1)), 'operator-resume', 2));
    expect(react(resumed, 'look', 3)).toEqual({ kind: 'kept' });
    expect(react(resumed, 'verdict-promote', 4)).toMatchObject({ kind: 'paused' });
  });
});

describe('strategies', () => {
  it('blue-green takes everything at once after its verdict, and keeps blue ready until its time is over', () => {
    const green = enterStep(aRollout({ strategy: 'blue-green', stages: stagesBy('blue-green') }), 0, 0);
    expect(candidateWeight(green)).toBe(0);
    const switched = rolloutIn(react(green, 'verdict-promote', 5 * MINUTE));
    expect([candidateWeight(switched), phaseOf(switched)]).toEqual([100, 'passed']);
    expect(react(switched, 'look', 15 * MINUTE - 1)).toEqual({ kind: 'kept' });
    expect(react(switched, 'verdict-roll-back', 6 * MINUTE)).toEqual({ kind: 'rolled_back' });
    expect(react(switched, 'operator-abort', 6 * MINUTE)).toEqual({ kind: 'aborted' });
    expect(react(switched, 'look', 15 * MINUTE)).toEqual({ kind: 'promoted' });
  });

  it('a shadow is promoted by a person alone', () => {
    const shadow = enterStep(aRollout({ strategy: 'shadow', stages: stagesBy('shadow') }), 0, 0);
    expect(candidateWeight(shadow)).toBe(0);
    expect(react(shadow, 'verdict-promote', NOW)).toEqual({ kind: 'kept' });
    const paused = rolloutIn(react(shadow, 'operator-pause', NOW));
    expect(react(paused, 'verdict-promote', NOW)).toEqual({ kind: 'kept' });
    expect(react(shadow, 'verdict-roll-back', NOW)).toEqual({ kind: 'rolled_back' });
    expect(react(shadow, 'operator-promote', NOW)).toEqual({ kind: 'promoted' });
  });

  it('a challenger answers nothing until its verdict makes it champion', () => {
    const challenger = enterStep(aRollout({ stages: stagesBy('champion-challenger') }), 0, 0);
    expect(candidateWeight(challenger)).toBe(0);
    expect(react(challenger, 'verdict-promote', NOW)).toEqual({ kind: 'promoted' });
  });

  it('direct knows no rollout', () => {
    expect(stagesOf({ strategy: 'direct', steps: [{ weight: 20 }] })).toBeUndefined();
  });
});

describe('the table of reactions', () => {
  const inPhase: Readonly<Record<Phase, RunningRollout>> = {
    judging: aRollout(),
    passed: aRollout({ passed: true }),
    watching: aRollout({ stages: stagesBy('shadow') }),
    paused: aRollout({ paused: true }),
  };

  it('knows an answer to every signal in every phase, the same after a restart', () => {
    for (const phase of Object.keys(reactions) as Phase[]) {
      expect(phaseOf(inPhase[phase])).toBe(phase);
      const reread = JSON.parse(JSON.stringify(inPhase[phase])) as RunningRollout;
      for (const signal of Object.keys(reactions.judging) as Signal[]) {
        const answer = react(inPhase[phase], signal, NOW);
        expect(answer.kind).toBeDefined();
        expect(react(reread, signal, NOW)).toEqual(answer);
      }
    }
  });

  it('never takes time, silence or an unclear verdict for success while something is to be judged', () => {
    for (const phase of ['judging', 'watching', 'paused'] as const) {
      for (const signal of ['look', 'verdict-none'] as const) {
        expect(react(inPhase[phase], signal, Number.MAX_SAFE_INTEGER)).toEqual({ kind: 'kept' });
      }
    }
  });
});
