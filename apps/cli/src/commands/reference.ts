import { kinds, type Kind } from '@headrace/definitions';
import { z } from 'zod';
import type { Connection } from '../connection';
import { SERVICES } from '../local/system';
import { printRows } from '../output';

/** Without a name: a table. With one: the address alone, for scripts. */
export function printAddresses(connection: Connection, name?: string): void {
  const names = ['kafka', ...SERVICES];
  if (name !== undefined && !names.includes(name)) {
    throw new Error(`"${name}": expected one of ${names.join(', ')}`);
  }
  const addressOf = (each: string): string => {
    const service = SERVICES.find((candidate) => candidate === each);
    return service === undefined ? connection.kafka() : connection.address(service);
  };
  if (name !== undefined) process.stdout.write(`${addressOf(name)}\n`);
  else
    printRows(
      names.map((each) => ({ name: each, address: addressOf(each) })),
      false,
    );
}

/** JSON Schema of what a user writes: fields with a default may be left out. CEL and durations are checked by `check`. */
export function printSchema(kind: string): void {
  if (!Object.hasOwn(kinds, kind)) {
    throw new Error(`"${kind}" is no kind: expected one of ${Object.keys(kinds).join(', ')}`);
  }
  const schema = z.toJSONSchema(kinds[kind as Kind], { io: 'input' });
  process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
}
