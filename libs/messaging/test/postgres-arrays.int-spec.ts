import { createTestDatabase, type TestDatabase } from '@headrace/testing';
import type { DataSource } from 'typeorm';
import { boolArray, byteaArray, float8Array, int4Array, int8Array, textArray } from '../src/postgres-arrays';
import { openTestDatabase } from './running-service';

describe('arrays in the binary format', () => {
  let database: TestDatabase;
  let dataSource: DataSource;

  beforeAll(async () => {
    database = await createTestDatabase('arrays');
    dataSource = await openTestDatabase(database.url, 2);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('are what Postgres gets, whatever stands in them', async () => {
    const numbers = [0, -1, 2 ** 31 - 1];
    const texts = ['', 'plain', 'quo"te \\ {}, ü €\n'];
    const bytes = [Buffer.from([0, 1, 255]), null, Buffer.alloc(0)];
    const found: unknown = await dataSource.query(
      'SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[]) AS r (number, text, bytes)',
      [int4Array(numbers), textArray(texts), byteaArray(bytes)],
    );
    expect(found).toEqual(numbers.map((number, index) => ({ number, text: texts[index], bytes: bytes[index] })));
  });

  it('keep every number, and the difference between nothing and an empty text', async () => {
    const doubles = [0.1, -5e-324, Number.NaN, -Infinity];
    const whole = [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, -1, 2 ** 32];
    const texts = [null, '', 'a', null];
    const found: unknown = await dataSource.query(
      `SELECT real, whole::text AS whole, yes, text
         FROM unnest($1::float8[], $2::bigint[], $3::boolean[], $4::text[]) AS r (real, whole, yes, text)`,
      [float8Array(doubles), int8Array(whole), boolArray([true, false, true, false]), textArray(texts)],
    );
    const expected = doubles.map((real, row) => ({
      real,
      whole: String(whole[row]),
      yes: row % 2 === 0,
      text: texts[row],
    }));
    expect(found).toEqual(expected);
  });

  it('may be empty', async () => {
    const found: unknown = await dataSource.query('SELECT unnest($1::text[]) AS text', [textArray([])]);
    expect(found).toEqual([]);
  });
});
