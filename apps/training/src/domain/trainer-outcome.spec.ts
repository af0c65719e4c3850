import { failureOf, nextAttempt } from './trainer-outcome';

const exited = (code: number, stderr = '') => failureOf({ kind: 'exited', code, stderr });

describe('the end of the trainer', () => {
  it('is a success with exit code 0, whatever was said', () => {
    expect(exited(0, 'a warning')).toBeUndefined();
  });

  it.each([
    [2, 'trainer_refused_specification', false],
    [3, 'trainer_refused_data', false],
    [4, 'trainer_export_differs', false],
    [1, 'trainer_failed', true],
    [137, 'trainer_failed', true],
  ])('with exit code %d is %s', (code, expected, retriable) => {
    expect(exited(code, 'noise\nerror: the reason\n\n')).toEqual({ code: expected, message: 'the reason', retriable });
  });

  it('has a message even when the trainer said nothing', () => {
    expect(exited(1)?.message).toBe('the trainer ended with exit code 1 and said nothing');
  });

  it('by a signal or by its timeout may be tried again', () => {
    expect(failureOf({ kind: 'killed', signal: 'SIGKILL', stderr: '' })).toMatchObject({ retriable: true });
    expect(failureOf({ kind: 'timeout', seconds: 600 })).toMatchObject({ code: 'trainer_timeout', retriable: true });
  });

  it('by a flood of output is final', () => {
    expect(failureOf({ kind: 'too-much-output', bytes: 1 })).toMatchObject({ retriable: false });
  });

  it('is known when it could not even start', () => {
    expect(failureOf({ kind: 'not-started', message: 'no python' })).toMatchObject({ message: 'no python' });
  });
});

describe('after a failed attempt', () => {
  const failure = { code: 'trainer_failed', message: 'out of memory', retriable: true };

  it('comes another one while there are some left, later each time', () => {
    expect(nextAttempt(failure, 1, 3)).toEqual({ kind: 'retry', afterMs: 1_000 });
    expect(nextAttempt(failure, 2, 3)).toEqual({ kind: 'retry', afterMs: 2_000 });
    expect(nextAttempt(failure, 3, 3)).toEqual({ kind: 'give-up', code: 'trainer_failed', message: 'out of memory' });
  });

  it('comes none when the same inputs end the same way', () => {
    expect(nextAttempt({ ...failure, retriable: false }, 1, 3)).toMatchObject({ kind: 'give-up' });
  });
});
