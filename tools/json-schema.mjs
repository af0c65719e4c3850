// JSON Schemas (draft 7) of protobuf messages in their JSON form, as `headrace events` prints them.

const INTEGERS_64 = new Set(['TYPE_INT64', 'TYPE_UINT64', 'TYPE_SINT64', 'TYPE_FIXED64', 'TYPE_SFIXED64']);
const INTEGERS_32 = new Set(['TYPE_INT32', 'TYPE_UINT32', 'TYPE_SINT32', 'TYPE_FIXED32', 'TYPE_SFIXED32']);

/** All messages and enums reachable from `roots` (full names), as full name → schema; `refer` makes the reference. */
export function schemasOf({ messages, enums }, roots, refer) {
  const schemas = new Map();

  const single = ({ type, typeName }) => {
    if (type === 'TYPE_MESSAGE' || type === 'TYPE_ENUM') {
      const name = typeName.slice(1);
      add(name);
      return { $ref: refer(name) };
    }
    if (INTEGERS_64.has(type)) return { type: ['integer', 'string'], format: 'int64' };
    if (INTEGERS_32.has(type)) return { type: 'integer', format: 'int32' };
    // Protobuf's JSON form writes NaN and the infinities as strings.
    if (type === 'TYPE_DOUBLE' || type === 'TYPE_FLOAT') return { type: ['number', 'string'], format: 'double' };
    if (type === 'TYPE_BOOL') return { type: 'boolean' };
    if (type === 'TYPE_BYTES') return { type: 'string', contentEncoding: 'base64' };
    if (type === 'TYPE_STRING') return { type: 'string' };
    throw new Error(`no JSON Schema is known for ${type}`);
  };

  const schemaOfField = (field) => {
    const entry = field.typeName && messages.get(field.typeName.slice(1));
    if (entry?.options?.mapEntry) return { type: 'object', additionalProperties: single(entry.field[1]) };
    return field.label === 'LABEL_REPEATED' ? { type: 'array', items: single(field) } : single(field);
  };

  const add = (name) => {
    if (schemas.has(name)) return;
    const listed = enums.get(name);
    if (listed) {
      schemas.set(name, { type: 'string', enum: listed.value.map((value) => value.name) });
      return;
    }
    const message = messages.get(name);
    if (!message) throw new Error(`${name} stands in no proto`);
    const schema = { type: 'object', ...described(message.comment), 'x-protobuf-message': name, properties: {} };
    schemas.set(name, schema);
    for (const field of message.field) {
      const value = schemaOfField(field);
      // A reference may have no neighbours in draft 7: they would be ignored.
      schema.properties[field.jsonName] = value.$ref
        ? value
        : { ...value, ...described(field.comment), 'x-protobuf-field': field.number };
    }
  };

  for (const root of roots) add(root);
  return new Map([...schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const described = (comment) => (comment === '' ? {} : { description: comment.replaceAll(/\s+/g, ' ') });
