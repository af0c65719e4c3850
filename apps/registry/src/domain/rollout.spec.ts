import { aRollout } from '../../test/builders';
import { candidateWeight, react, reactions, type Signal } from './rollout';

describe('a rollout', () => {
  it('advances one step with each promoting verdict, and is promoted after the last', () => {
    const first = aRollout({ weights: [10, 30, 60] });
    const second = react(first, 'verdict-promote');
    expect(second).toMatchObject({ kind: 'step', rollout: { step: 1 } });
    const third = second.kind === 'step' ? react(second.rollout, 'verdict-promote') : second;
    expect(third).toMatchObject({ kind: 'step', rollout: { step: 2 } });
    expect(third.kind === 'step' && candidateWeight(third.rollout)).toBe(60);
    expect(third.kind === 'step' && react(third.rollout, 'verdict-promote')).toEqual({ kind: 'promoted' });
  });

  it('with one step is promoted by its first promoting verdict', () => {
    expect(react(aRollout({ weights: [20] }), 'verdict-promote')).toEqual({ kind: 'promoted' });
  });

  it('stays where it is without a verdict', () => {
    expect(react(aRollout(), 'verdict-none')).toEqual({ kind: 'kept' });
  });

  it('holds its step while paused, whatever promoting verdicts come', () => {
    expect(react(aRollout({ paused: true }), 'verdict-promote')).toEqual({ kind: 'kept' });
  });

  it.each([true, false])('is rolled back by a bad verdict or a failed load (paused: %s)', (paused) => {
    expect(react(aRollout({ paused }), 'verdict-roll-back')).toEqual({ kind: 'rolled_back' });
    expect(react(aRollout({ paused }), 'load-failed')).toEqual({ kind: 'rolled_back' });
  });

  it.each([true, false])('is promoted or aborted by an operator at any step (paused: %s)', (paused) => {
    expect(react(aRollout({ paused }), 'operator-promote')).toEqual({ kind: 'promoted' });
    expect(react(aRollout({ paused }), 'operator-abort')).toEqual({ kind: 'aborted' });
  });

  it('is paused and resumed in turn', () => {
    const paused = react(aRollout(), 'operator-pause');
    expect(paused).toMatchObject({ kind: 'paused', rollout: { paused: true } });
    expect(react(aRollout({ paused: true }), 'operator-resume')).toMatchObject({
      kind: 'resumed',
      rollout: { paused: false },
    });
    expect(react(aRollout({ paused: true }), 'operator-pause')).toMatchObject({ kind: 'refused' });
    expect(react(aRollout(), 'operator-resume')).toMatchObject({ kind: 'refused' });
  });

  it('knows a reaction to every signal in both phases', () => {
    expect(Object.keys(reactions.running)).toEqual(Object.keys(reactions.paused));
    for (const signal of Object.keys(reactions.running) as Signal[]) {
      expect(react(aRollout(), signal).kind).toBeDefined();
      expect(react(aRollout({ paused: true }), signal).kind).toBeDefined();
    }
  });
});
