import { readsAnyOf, requiredFieldsOf } from './expression-fields';

describe('fields that an expression needs', () => {
  it.each([
    ['request.distance', ['distance']],
    ['request.distance * 2.0 + request["hour"] + request.distance', ['distance', 'hour']],
    ['has(request.hour) ? request.hour : 0.0', []],
    ['request.carrier == "request.other" ? 1 : 0', ['carrier']],
    ['[1, 2].exists(x, x == request.n)', ['n']],
    ['record.delay > 15.0', []],
    ['1.0', []],
  ])('%s', (source, fields) => {
    expect(requiredFieldsOf(source, 'request')).toEqual(fields);
  });
});

describe('whether an expression depends on a field', () => {
  it.each([
    ['request.email.size()', true],
    ['has(request.email) ? 1 : 0', true],
    ['request["email"] == ""', true],
    ['request[request.kind]', true],
    ['request.size()', true],
    ['request.distance', false],
    ['record.email', false],
    ['"request.email"', false],
  ])('%s', (source, depends) => {
    expect(readsAnyOf(source, 'request', new Set(['email']))).toBe(depends);
    expect(readsAnyOf(source, 'request', new Set())).toBe(false);
  });
});
