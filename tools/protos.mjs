// What proto/ says, compiled by buf: every message and enum by its full name, with the protos' own comments.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from './child.mjs';

const run = promisify(execFile);

/** { messages, enums }: full name → descriptor, with `comment` on it and on each of its fields. */
export async function readProtos() {
  const { stdout } = await run(join(repository, 'node_modules', '.bin', 'buf'), ['build', '-o', '-#format=json'], {
    cwd: repository,
    maxBuffer: 64 * 1024 * 1024,
  });
  const messages = new Map();
  const enums = new Map();
  for (const file of JSON.parse(stdout).file) {
    const comments = new Map(
      (file.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [
        (path ?? []).join('.'),
        (leadingComments ?? '').trim(),
      ]),
    );
    // Numbers of descriptor.proto: a file's messages are 4 and enums 5; a message's fields are 2, nested ones 3 and 4.
    const visitEnum = (descriptor, prefix, path) =>
      enums.set(`${prefix}.${descriptor.name}`, { ...descriptor, comment: comments.get(path) ?? '' });
    const visit = (descriptor, prefix, path) => {
      const name = `${prefix}.${descriptor.name}`;
      messages.set(name, {
        ...descriptor,
        comment: comments.get(path) ?? '',
        field: (descriptor.field ?? []).map((field, index) => ({
          ...field,
          comment: comments.get(`${path}.2.${index}`) ?? '',
        })),
      });
      (descriptor.nestedType ?? []).forEach((nested, index) => visit(nested, name, `${path}.3.${index}`));
      (descriptor.enumType ?? []).forEach((nested, index) => visitEnum(nested, name, `${path}.4.${index}`));
    };
    (file.messageType ?? []).forEach((descriptor, index) => visit(descriptor, file.package, `4.${index}`));
    (file.enumType ?? []).forEach((descriptor, index) => visitEnum(descriptor, file.package, `5.${index}`));
  }
  return { messages, enums };
}
