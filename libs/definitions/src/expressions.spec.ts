import { asNumber, compileExpression, doubleValue, intValue, missing, stringValue, timeValue } from './index';

describe('an expression', () => {
  it('compares ints and doubles alike', () => {
    const late = compileExpression('record.delay > 15', 'record');
    expect(late({ delay: doubleValue(15.5) })).toBe(true);
    expect(late({ delay: intValue(15) })).toBe(false);
  });

  it('is missing when a field is missing or absent, not false and not zero', () => {
    const sum = compileExpression('record.a + record.b', 'record');
    expect(sum({ a: doubleValue(1), b: missing })).toBeUndefined();
    expect(sum({ a: doubleValue(1) })).toBeUndefined();
  });

  it('does not mix ints and doubles in arithmetic: CEL has no such overload', () => {
    expect(compileExpression('record.a + 1', 'record')({ a: doubleValue(1) })).toBeUndefined();
    expect(compileExpression('record.a + 1', 'record')({ a: intValue(1) })).toBe(2);
  });

  it('reads times', () => {
    const hour = compileExpression('record.at.getHours()', 'record');
    expect(hour({ at: timeValue(Date.UTC(2001, 0, 1, 13) * 1_000) })).toBe(13);
  });

  it('gives a plain field the value that CEL gives it', () => {
    const values = { a: doubleValue(1.5), b: intValue(7), c: stringValue('x'), d: timeValue(1), e: missing };
    for (const name of ['a', 'b', 'c', 'd', 'e', 'absent']) {
      const throughCel = compileExpression(`true ? record.${name} : record.${name}`, 'record')(values);
      expect(compileExpression(`record.${name}`, 'record')(values)).toEqual(throughCel);
    }
  });

  it('reads fields by index as well as by name', () => {
    expect(compileExpression('record["a"] + record.b', 'record')({ a: doubleValue(1), b: doubleValue(2) })).toBe(3);
  });

  it('has only the variable that it was given', () => {
    expect(compileExpression('request.a == "x"', 'request')({ a: stringValue('x') })).toBe(true);
    expect(compileExpression('process.env', 'record')({})).toBeUndefined();
  });

  it('becomes a number for models: bools as 0 and 1, never an infinity', () => {
    expect([
      asNumber(true),
      asNumber(false),
      asNumber(2.5),
      asNumber('2.5'),
      asNumber(Infinity),
      asNumber(undefined),
    ]).toEqual([1, 0, 2.5, undefined, undefined, undefined]);
  });
});
