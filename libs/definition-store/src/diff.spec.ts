import { diffDocuments } from './diff';

describe('the difference of two documents', () => {
  it('is the list of leaves that changed, appeared or went', () => {
    expect(diffDocuments({ spec: { a: 1, b: [1, 2], gone: true } }, { spec: { a: 2, b: [1, 3], fresh: 'x' } })).toEqual(
      [
        { path: 'spec.a', before: '1', after: '2' },
        { path: 'spec.b.1', before: '2', after: '3' },
        { path: 'spec.fresh', before: '', after: '"x"' },
        { path: 'spec.gone', before: 'true', after: '' },
      ],
    );
  });

  it('is empty for equal content in another order', () => {
    expect(diffDocuments({ a: 1, b: {} }, { b: {}, a: 1 })).toEqual([]);
  });
});
