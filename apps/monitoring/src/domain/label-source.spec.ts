import { boolValue, compileExpression, doubleValue, missing } from '@headrace/definitions';
import { labelOf, labelSourceOf } from './label-source';

const delayed = compileExpression('record.delay', 'record');

describe('labels', () => {
  it('are 0 or 1 for a binary model, whether the expression gives a bool or a number', () => {
    expect(labelOf(delayed, { delay: boolValue(true) }, 'binary')).toEqual({ kind: 'label', value: 1 });
    expect(labelOf(delayed, { delay: doubleValue(0) }, 'binary')).toEqual({ kind: 'label', value: 0 });
    expect(labelOf(delayed, { delay: doubleValue(7.5) }, 'binary')).toEqual({ kind: 'not_binary' });
  });

  it('are any number for a regression', () => {
    expect(labelOf(delayed, { delay: doubleValue(7.5) }, 'regression')).toEqual({ kind: 'label', value: 7.5 });
  });

  it('are missing when the record does not tell', () => {
    expect(labelOf(delayed, { delay: missing }, 'regression')).toEqual({ kind: 'missing' });
    expect(labelOf(delayed, {}, 'binary')).toEqual({ kind: 'missing' });
  });

  it('are shared by monitors with the same stream, expression and task only', () => {
    const id = (stream: string, expression: string) => labelSourceOf(stream, expression, 'binary').id;
    expect(id('s', 'record.a')).toBe(id('s', 'record.a'));
    expect(new Set([id('s', 'record.a'), id('s', 'record.b'), id('t', 'record.a')]).size).toBe(3);
    expect(labelSourceOf('s', 'record.a', 'regression').id).not.toBe(id('s', 'record.a'));
  });
});
