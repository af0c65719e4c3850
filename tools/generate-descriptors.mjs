// libs/contracts/src/generated/descriptors.ts: what gRPC reflection tells of proto/, compiled by buf.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { repository } from './child.mjs';

const run = promisify(execFile);
const buf = join(repository, 'node_modules', '.bin', 'buf');

async function build(form, encoding) {
  const args = ['build', '--exclude-source-info', '--as-file-descriptor-set', '-o', `-#format=${form}`];
  const { stdout } = await run(buf, args, { cwd: repository, encoding, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Each file of the set as it is on the wire. */
function filesOf(set) {
  const reader = new BinaryReader(set);
  const files = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1) files.push(Buffer.from(reader.bytes()));
    else reader.skip(wire, field);
  }
  return files;
}

/** Full names of everything that a client may ask for. */
function symbolsOf(file) {
  const within = (scope, name) => (scope ? `${scope}.${name}` : name);
  const ofMessage = (scope, message) => {
    const own = within(scope, message.name);
    return [
      own,
      ...(message.nestedType ?? []).flatMap((nested) => ofMessage(own, nested)),
      ...(message.enumType ?? []).map((nested) => within(own, nested.name)),
    ];
  };
  const services = (file.service ?? []).flatMap((service) => {
    const own = within(file.package, service.name);
    return [own, ...(service.method ?? []).map((method) => within(own, method.name))];
  });
  return [
    ...(file.messageType ?? []).flatMap((message) => ofMessage(file.package, message)),
    ...(file.enumType ?? []).map((one) => within(file.package, one.name)),
    ...services,
  ];
}

const described = JSON.parse(await build('json', 'utf8')).file;
const bytes = filesOf(await build('binpb', 'buffer'));
const entries = described.map((file, index) => ({
  name: file.name,
  dependencies: file.dependency ?? [],
  symbols: symbolsOf(file),
  base64: bytes[index].toString('base64'),
}));
const source = `// Generated from proto/ by "npm run generate": do not edit.
export interface DescribedFile {
  /** Path below proto/. */
  readonly name: string;
  /** Files that it imports. */
  readonly dependencies: readonly string[];
  /** Full names of its messages, enums, services and methods. */
  readonly symbols: readonly string[];
  /** Its FileDescriptorProto. */
  readonly base64: string;
}

export const describedFiles: readonly DescribedFile[] = ${JSON.stringify(entries)};
`;
const target = join(repository, 'libs', 'contracts', 'src', 'generated', 'descriptors.ts');
await writeFile(target, await format(source, { ...(await resolveConfig(target)), parser: 'typescript' }));
